"""Areas of a picture as polygons in relative coordinates: regions of interest, ignored and private parts.

(0, 0) is the upper left corner, (1, 1) the lower right one, so that a shape stays right when the camera changes its
resolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

Share = Annotated[float, Field(ge=0, le=1)]
Point = tuple[Share, Share]

_SMALLEST: Final = 1e-5  # of the picture: three pixels of a 640 x 480 one
_GREY: Final = 64


def _sound(points: tuple[Point, ...]) -> tuple[Point, ...]:
    """A closed line that encloses something and does not cross itself: where it did, painting would leave a hole."""
    around = [*points, points[0]]
    doubled = sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise(around))
    if abs(doubled) / 2 < _SMALLEST:
        raise ValueError("the polygon encloses nothing; its points are shares (0 to 1) of width and height")
    sides = list(pairwise(around))
    for index, (a, b) in enumerate(sides):
        for c, d in sides[index + 1 :]:
            if _cross(a, b, c, d):
                raise ValueError("the polygon crosses itself; give its corners in their order round it")
    return points


def _cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether the two sides cross at a point inside both."""
    return _side(a, b, c) * _side(a, b, d) < 0 and _side(c, d, a) * _side(c, d, b) < 0


def _side(a: Point, b: Point, point: Point) -> float:
    return (b[0] - a[0]) * (point[1] - a[1]) - (b[1] - a[1]) * (point[0] - a[0])


Polygon = Annotated[
    tuple[Point, ...],
    Field(min_length=3, max_length=32, examples=[[[0, 0], [0.3, 0], [0.3, 1], [0, 1]]]),
    AfterValidator(_sound),
]
Polygons = Annotated[tuple[Polygon, ...], Field(max_length=16)]


def corners(polygon: Sequence[Point], width: int, height: int) -> NDArray[np.int32]:
    """The corners in pixels of a picture of that size, shape (n, 2)."""
    return np.asarray([(round(x * width), round(y * height)) for x, y in polygon], np.int32)


def inside(polygons: Sequence[Sequence[Point]], width: int, height: int) -> NDArray[np.bool_]:
    """True in the pixels that lie in any of the polygons, shape (height, width)."""
    mask = np.zeros((height, width), np.uint8)
    for polygon in polygons:
        cv2.fillPoly(mask, [corners(polygon, width, height)], 1)
    return mask.astype(bool)


def paint(picture: NDArray[np.uint8], polygons: Sequence[Sequence[Point]]) -> NDArray[np.uint8]:
    """A copy with the polygons painted over, wide enough that no pixel that a side touches is left."""
    height, width = picture.shape[:2]
    painted = picture.copy()
    grey = (_GREY, _GREY, _GREY)
    for polygon in polygons:
        line = corners(polygon, width, height)
        cv2.fillPoly(painted, [line], grey)
        cv2.polylines(painted, [line], isClosed=True, color=grey, thickness=3)
    return painted
