import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from modules.camera.motion import USUAL
from modules.camera.patches import Patch, edge_width

ROWS, COLUMNS = 90, 160
Y, X = np.mgrid[:ROWS, :COLUMNS].astype(np.float32)
NOISE = cv2.GaussianBlur(np.random.default_rng(3).normal(0, 0.02, (ROWS, COLUMNS)).astype(np.float32), (0, 0), 1.1)


def edge(turn: float, width: float, depth: float, *, blur: float = 1.1) -> np.ndarray:
    """The logarithm of what light is left across an edge through the middle, a straight ramp `width` pixels wide."""
    share = np.clip(((X - 80) * np.cos(turn) + (Y - 45) * np.sin(turn)) / width + 0.5, 0, 1)
    left = 1 - depth * share * share * (3 - 2 * share)
    return np.asarray(np.log(cv2.GaussianBlur(left.astype(np.float32), (0, 0), blur)) + NOISE, np.float32)


def seen(ratio: np.ndarray, turn: float) -> float:
    """How wide that edge is, told from the pixels on it."""
    across, along = (X - 80) * np.cos(turn) + (Y - 45) * np.sin(turn), (Y - 45) * np.cos(turn) - (X - 80) * np.sin(turn)
    line = ((np.abs(across) < 1) & (np.abs(along) < 20)).astype(np.uint8)
    x, y, width, height = cv2.boundingRect(np.asarray(cv2.findNonZero(line)))
    box = np.array([[x, y], [x + width - 1, y], [x + width - 1, y + height - 1], [x, y + height - 1]], np.int32)
    return edge_width(Patch(box, x, y, width, height, pixels=100), ratio, line)


@settings(deadline=None)
@given(turn=st.floats(0, np.pi), depth=st.floats(0.3, 0.7))
def test_a_sharp_edge_is_narrower_than_what_counts(turn: float, depth: float) -> None:
    assert 0.9 < seen(edge(turn, 0.5, depth), turn) < USUAL.softest


@settings(deadline=None)
@example(turn=np.pi / 4, depth=0.6, width=8)
@given(turn=st.floats(0, np.pi), depth=st.floats(0.3, 0.6), width=st.floats(8, 40))
def test_the_edge_of_a_shadow_is_wider_in_any_direction(turn: float, depth: float, width: float) -> None:
    assert seen(edge(turn, width, depth), turn) > USUAL.softest + 0.1


@pytest.mark.parametrize("spread", [1.0, 1.5, 2.0, 3.0])
def test_the_width_is_that_of_the_blur_and_of_the_slope_s_own(spread: float) -> None:
    assert seen(edge(0.0, 0.01, 0.3, blur=spread), 0.0) == pytest.approx(np.hypot(spread, 0.7), rel=0.15)


def test_an_edge_without_a_slope_is_as_wide_as_can_be() -> None:
    assert seen(np.zeros((ROWS, COLUMNS), np.float32), 0.0) == np.inf
