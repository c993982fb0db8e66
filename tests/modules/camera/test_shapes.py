from datetime import UTC, datetime

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from modules.camera.frame import Frame, Lazy
from modules.camera.privacy import private
from modules.camera.shapes import Polygon, inside

CHECK: TypeAdapter[tuple[tuple[float, float], ...]] = TypeAdapter(Polygon)
HALF = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("points", "says"),
    [
        ([[0, 0], [1, 1]], "at least 3"),
        ([[0, 0], [0.5, 0.5], [1, 1]], "encloses nothing"),
        ([[0, 0], [1, 1], [1, 0], [0, 1]], "encloses nothing|crosses itself"),
        ([[0, 0], [1, 0.9], [1, 0], [0, 1]], "crosses itself"),
        ([[0, 0], [2, 0], [0, 1]], "less than or equal to 1"),
        ([[0, 0], [0, 640], [480, 0]], "less than or equal to 1"),
    ],
)
def test_a_polygon_that_cannot_be_meant_is_refused(points: list[list[float]], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        CHECK.validate_python(points)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=8))
def test_whatever_is_taken_covers_something(points: list[tuple[float, float]]) -> None:
    try:
        polygon = CHECK.validate_python(points)
    except ValidationError:
        return
    assert inside([polygon], 640, 480).any()


def test_inside_is_what_lies_in_any_of_them() -> None:
    right = ((0.9, 0.0), (1.0, 0.0), (1.0, 1.0))
    mask = inside([HALF, right], 100, 50)
    assert mask[:, :50].all() and not mask[10:, 55:85].any() and mask[2, 98]


WHITE = np.full((90, 160, 3), 255, np.uint8)


def test_nothing_private_is_left_in_any_form_of_a_frame() -> None:
    jpeg = cv2.imencode(".jpg", WHITE)[1].tobytes()
    for pixels in (WHITE, Lazy(lambda: WHITE)):
        frame = private(Frame(pixels, NOW, encoded=jpeg, luma=WHITE[:, :, 0], item="a"), [HALF])
        assert frame.encoded is None and frame.item == "a"
        for seen in (frame.picture, frame.look, frame.luma):
            assert seen is not None
            assert seen[:, :81].max() < 255 and seen[:, 90:].min() == 255
    assert WHITE.min() == 255  # the source's own picture is not written to


@given(
    points=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=6),
    width=st.integers(16, 200),
    height=st.integers(16, 200),
)
def test_every_pixel_that_a_private_area_touches_is_painted(
    points: list[tuple[float, float]], width: int, height: int
) -> None:
    try:
        polygon = CHECK.validate_python(points)
    except ValidationError:
        return
    frame = private(Frame(np.full((height, width), 255, np.uint8), NOW), [polygon])
    fine = inside([polygon], width * 16, height * 16)
    touched = fine.reshape(height, 16, width, 16).any(axis=(1, 3))
    assert (frame.picture[touched] < 255).all()


def test_without_private_areas_the_frame_is_the_same() -> None:
    frame = Frame(WHITE, NOW)
    assert private(frame, []) is frame
