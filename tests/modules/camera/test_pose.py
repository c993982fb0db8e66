import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.camera.pose import HOME, Pose, guesses, moved

RANDOM = np.random.default_rng(2)
PLANE = cv2.GaussianBlur(RANDOM.normal(0, 1, (110, 180)).astype(np.float32), (0, 0), 3)
SCENE = np.asarray(4.5 + 0.3 * PLANE[10:100, 10:170] / PLANE.std(), np.float32)


def best(now: np.ndarray, before: np.ndarray, last: Pose = HOME) -> Pose:
    """Of the guesses the one in which the picture looks most like the other."""
    inner = (slice(15, -15), slice(15, -15))
    found = list(guesses(now, before, last))
    return min(found, key=lambda pose: float(np.abs(now - moved(before, pose))[inner].mean()))


@settings(deadline=None)
@given(right=st.floats(-3, 3), down=st.floats(-3, 3), turn=st.floats(-0.03, 0.03))
def test_a_move_and_a_turn_are_found_to_a_quarter_of_a_pixel(right: float, down: float, turn: float) -> None:
    pose = Pose(right, down, turn)
    now = moved(SCENE, pose) + RANDOM.normal(0, 0.01, SCENE.shape).astype(np.float32)
    assert best(now, SCENE).far_from(pose, 160) < 0.25


@settings(deadline=None, max_examples=20)
@given(right=st.floats(-5, 5), down=st.floats(-5, 5))
def test_a_push_is_found_though_light_and_a_part_came_with_it(right: float, down: float) -> None:
    pose = Pose(right, down, 0.01)
    now = moved(SCENE, pose) + np.linspace(-0.4, 0.2, 160, dtype=np.float32)
    now[30:55, 40:70] = 5.4
    assert best(now, SCENE).far_from(pose, 160) < 0.5


@pytest.mark.parametrize("pose", [Pose(3, 2.2, 0.008), Pose(4, 2.8, 0), Pose(-3, 2, -0.008)])
def test_what_comes_in_over_the_border_does_not_bend_the_pose(pose: Pose) -> None:
    """A plain belt with rails along its borders, of which more or less shows as the camera moves."""
    steps = 4.5 + 0.01 * PLANE / PLANE.std()
    steps[:13] += 0.6
    steps[98:] -= 0.3
    plane = np.asarray(cv2.GaussianBlur(steps.astype(np.float32), (0, 0), 1), np.float32)
    found = list(guesses(moved(plane, pose)[10:100, 10:170], plane[10:100, 10:170], HOME))
    assert found and max(each.far_from(pose, 160) for each in found) < 0.1


@pytest.mark.parametrize("flat", [np.full((90, 160), 4, np.float32), SCENE])
def test_a_picture_that_stands_still_has_not_moved(flat: np.ndarray) -> None:
    assert best(flat, flat).far_from(HOME, 160) < 0.05


def test_beyond_the_border_nothing_is_known() -> None:
    known = moved(np.ones((90, 160), np.float32), Pose(5, 0), outside=0)
    assert not known[:, :5].any() and (known[:, 6:] == 1).all()
