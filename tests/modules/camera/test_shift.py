import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.camera.shift import gradients, moved, shift

RANDOM = np.random.default_rng(2)
PLANE = cv2.GaussianBlur(RANDOM.normal(0, 1, (110, 180)).astype(np.float32), (0, 0), 3)
SCENE = np.asarray(120 + 40 * PLANE[10:100, 10:170] / PLANE.std(), np.float32)


@given(right=st.floats(-2, 2), down=st.floats(-2, 2))
def test_a_shift_is_found_to_a_quarter_of_a_pixel(right: float, down: float) -> None:
    now = moved(SCENE, right, down) + RANDOM.normal(0, 1, SCENE.shape).astype(np.float32)
    found = shift(now, SCENE, gradients(SCENE), 12)
    assert found is not None
    assert abs(found[0] - right) < 0.25 and abs(found[1] - down) < 0.25


@pytest.mark.parametrize(
    "flat", [np.full((90, 160), 80, np.float32), np.tile(np.arange(160, dtype=np.float32), (90, 1))]
)
def test_where_there_is_nothing_to_hold_on_to_there_is_no_answer(flat: np.ndarray) -> None:
    assert shift(flat + 1, flat, gradients(flat), 12) is None


def test_a_part_does_not_pass_for_a_shift() -> None:
    now = SCENE.copy()
    now[30:60, 40:90] = 240
    found = shift(now, SCENE, gradients(SCENE), 12)
    assert found is not None and max(map(abs, found)) < 0.15
