import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from modules.camera.edges import Enclosed, sharp
from modules.camera.light import field, logarithm

ROWS, COLUMNS = 90, 160
EVEN = np.full((ROWS, COLUMNS), 100, np.float32)


def blurred(picture: np.ndarray, sigma: float = 1.1) -> np.ndarray:
    return np.asarray(cv2.GaussianBlur(np.asarray(picture, np.float32), (0, 0), sigma), np.float32)


def with_a_box(step: float) -> np.ndarray:
    picture = EVEN.copy()
    picture[30:60, 50:90] += step
    return blurred(picture)


@pytest.mark.parametrize("step", [-30, -15, 15, 30])
def test_a_sharp_step_stands_as_high_as_it_is(step: float) -> None:
    seen = with_a_box(step)
    height = sharp(logarithm(seen) - logarithm(EVEN), seen)
    assert 0.6 * abs(step) < np.median(height[35:55, 49:51].max(axis=1)) < 1.4 * abs(step)
    assert height[:20].max() < 0.5


@settings(deadline=None)
@given(width=st.floats(9, 40), depth=st.floats(0.1, 0.6), at=st.floats(20, 140))
def test_a_shadow_with_a_soft_edge_has_none(width: float, depth: float, at: float) -> None:
    share = np.clip((np.arange(COLUMNS, dtype=np.float32) - at) / width + 0.5, 0, 1)
    seen = EVEN * (1 - depth * share * share * (3 - 2 * share))
    assert sharp(logarithm(seen) - logarithm(EVEN), seen).max() < 4  # the lowest threshold is 6.5


@settings(deadline=None)
@example(turn=np.pi / 4, depth=0.6, width=10)
@example(turn=np.pi / 3, depth=0.6, width=12)  # across the picture's border
@given(turn=st.floats(0, np.pi / 2), depth=st.floats(0.1, 0.6), width=st.floats(10, 30))
def test_nor_has_one_that_slants(turn: float, depth: float, width: float) -> None:
    y, x = np.mgrid[:ROWS, :COLUMNS].astype(np.float32)
    share = np.clip(((x - 80) * np.cos(turn) + (y - 45) * np.sin(turn)) / width + 0.5, 0, 1)
    seen = np.asarray(EVEN * (1 - depth * share * share * (3 - 2 * share)), np.float32)
    assert sharp(logarithm(seen) - logarithm(EVEN), seen).max() < 4


@pytest.mark.parametrize("turn", [0, 15, 30, 45, 60, 75, 90])
def test_a_slanting_step_stands_as_high_as_a_straight_one(turn: float) -> None:
    y, x = np.mgrid[:ROWS, :COLUMNS].astype(np.float32)
    side = (x - 80) * np.cos(np.radians(turn)) + (y - 45) * np.sin(np.radians(turn)) > 0
    seen = blurred(EVEN + 30 * side)
    height = sharp(logarithm(seen) - logarithm(EVEN), seen)[35:55, 70:90]
    assert 27 < height.max() < 33


@pytest.mark.parametrize("step", [-40, 40])
def test_what_an_outline_encloses_is_found_without_the_light_on_it(step: float) -> None:
    shade = np.linspace(0.0, 0.8, COLUMNS, dtype=np.float32)
    box = with_a_box(step)
    ratio = logarithm(box) - logarithm(EVEN)
    near = np.asarray(cv2.dilate((sharp(ratio, box) > 5).astype(np.float32), np.ones((5, 5), np.uint8)), np.float32)
    heights = Enclosed(ROWS, COLUMNS).heights(ratio + shade, near)
    real = np.log((100 + step + 8) / 108)
    assert abs(np.median(heights[35:55, 55:85]) - real) < 0.25 * abs(real)
    assert np.abs(heights[5:20]).max() < 0.25 * abs(real)


def test_the_field_of_light_takes_no_thing_for_a_lamp() -> None:
    light = np.tile(np.linspace(-0.5, 0.5, COLUMNS, dtype=np.float32), (ROWS, 1))
    seen, weight = light.copy(), np.ones_like(light)
    seen[30:60, 50:90] += 1
    weight[28:62, 48:92] = 5e-4
    found = field(seen, weight)
    assert np.abs(found - light)[:, 10:-10].max() < 0.12
