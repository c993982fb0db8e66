"""Patches of a small picture that differ from the background, and what they are: a thing, light, or a thing that left.

Light and shadow are told from things by two marks. The edge of a shadow is soft, as lamps are no points: the ratio of
frame and background changes over many pixels, while a thing's edge is as sharp as the picture. And light leaves the
texture under it as it was. Something that was learnt as background and has left shows the edges in the background, not
in the frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.float32]
Mask = NDArray[np.uint8]
Contour = NDArray[np.int32]

_CORE: Final = np.ones((2, 2), np.uint8)
_JOIN: Final = np.ones((3, 3), np.uint8)
_BRIDGE: Final = np.ones((7, 7), np.uint8)  # so far apart are pieces of one thing
_RIM: Final = np.ones((5, 5), np.uint8)
_DARK: Final = 8.0  # grey levels added before the logarithm: below them there is only noise
_FILLED: Final = 0.06  # of its box at least: less is specks that happen to touch, left over by a shake
_FEW: Final = 12  # pixels: less says nothing


@dataclass(frozen=True, slots=True)
class Patch:
    """One patch: its outline in the small picture, its box (x, y, width, height) there, and its pixels."""

    contour: Contour
    x: int
    y: int
    width: int
    height: int
    pixels: int

    @property
    def window(self) -> tuple[slice, slice]:
        """The box as an index."""
        return slice(self.y, self.y + self.height), slice(self.x, self.x + self.width)

    def overlap(self, other: Patch) -> float:
        """What the two boxes share of what they cover together (0 to 1)."""
        across = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        down = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        shared = max(0, across) * max(0, down)
        return shared / (self.width * self.height + other.width * other.height - shared)


def patches(mask: Mask, weak: Mask, least: float) -> list[Patch]:
    """The patches of at least so many pixels of `mask`, the largest first.

    They reach as far as `weak` does, the mask of half the tolerance (hysteresis, as in Canny 1986): a part that is
    here and there as bright as the belt stays in one piece. Lines and specks of one pixel's width do not count.
    """
    core = cv2.morphologyEx(weak, cv2.MORPH_OPEN, _CORE)
    joined = cv2.dilate(cv2.morphologyEx(core, cv2.MORPH_CLOSE, _BRIDGE), _JOIN)
    strong = cv2.morphologyEx(mask, cv2.MORPH_OPEN, _CORE)
    contours, _ = cv2.findContours(joined, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    found = []
    for contour in contours:
        if cv2.contourArea(contour) < least:
            continue
        x, y, width, height = cv2.boundingRect(contour)
        pixels = int(cv2.countNonZero(strong[y : y + height, x : x + width]))
        if pixels >= max(least, _FILLED * width * height):
            found.append(Patch(np.asarray(contour, np.int32), x, y, width, height, pixels))
    return sorted(found, key=lambda patch: -patch.pixels)


@dataclass(frozen=True, slots=True)
class Marks:
    """What a patch looks like.

    ``edge``: how much of its amplitude the ratio of frame and background changes in a pixel at its rim, 0.3 for a
    sharp edge. ``likeness``: correlation of its fine texture with the background's (-1 to 1), 0 where there is none.
    ``gone``: how much steeper the background is at its rim than the frame.
    """

    edge: float
    likeness: float
    gone: float


def marks(patch: Patch, small: Grey, background: Grey, noise: float) -> Marks:
    """Measure a patch. `background` is the one that the frame was compared with, in the frame's light."""
    rows, columns = small.shape
    top, left = max(0, patch.y - 4), max(0, patch.x - 4)
    bottom, right = min(rows, patch.y + patch.height + 4), min(columns, patch.x + patch.width + 4)
    now, before = small[top:bottom, left:right], background[top:bottom, left:right]
    shape = np.zeros(now.shape, np.uint8)
    cv2.drawContours(shape, [patch.contour - np.array([left, top], np.int32)], -1, 1, -1)
    inner = cv2.erode(shape, _JOIN).astype(bool)
    rim = (cv2.dilate(shape, _JOIN) - cv2.erode(shape, _RIM)).astype(bool)
    _leave_border(rim, top == 0, left == 0, bottom == rows, right == columns)
    if np.count_nonzero(inner) < _FEW or np.count_nonzero(rim) < _FEW:
        return Marks(1.0, 0.0, 0.0)
    ratio = np.log(np.maximum(now, 0) + _DARK) - np.log(np.maximum(before, 0) + _DARK)
    ratio = np.asarray(cv2.blur(ratio, (3, 3)), np.float32)
    slope = _steepness(ratio)
    line = (cv2.dilate(shape, _JOIN) - cv2.erode(shape, _JOIN)).astype(bool) & rim
    steepest = np.asarray(cv2.dilate(slope, _BRIDGE), np.float32)  # the outline lies some pixels outside
    edge = _quantile(steepest[line], 0.5) / (_quantile(np.abs(ratio[inner]), 0.75) + 1e-3) if line.any() else 1.0
    before_rim, now_rim = _steepness(before)[rim], _steepness(now)[rim]
    gone = float(before_rim.mean()) / (float(now_rim.mean()) + 0.5)
    return Marks(edge, _likeness(now, before, cv2.erode(shape, _BRIDGE).astype(bool), noise), gone)


def _quantile(values: Grey, share: float) -> float:
    at = int(share * (values.size - 1))
    return float(np.partition(values, at)[at])


def _steepness(values: Grey) -> Grey:
    across = cv2.Sobel(values, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
    down = cv2.Sobel(values, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
    return np.asarray(cv2.magnitude(across, down), np.float32)


def _leave_border(rim: NDArray[np.bool_], top: bool, left: bool, bottom: bool, right: bool) -> None:  # noqa: FBT001
    """Where a patch reaches the picture's border it has no edge to look at."""
    if top:
        rim[:2] = False
    if left:
        rim[:, :2] = False
    if bottom:
        rim[-2:] = False
    if right:
        rim[:, -2:] = False


def _likeness(now: Grey, before: Grey, inner: NDArray[np.bool_], noise: float) -> float:
    """Correlation of the fine texture well inside, where there is more of it than noise."""
    a = (now - cv2.blur(now, (7, 7)))[inner]
    b = (before - cv2.blur(before, (7, 7)))[inner]
    if a.size < _FEW:
        return 0.0
    a, b = a - a.mean(), b - b.mean()
    if float(b.std()) < max(1.5, 1.5 * noise) or float(a.std()) < 0.2 * float(b.std()):
        return 0.0
    return float(np.dot(a, b) / (np.sqrt(np.dot(a, a) * np.dot(b, b)) + 1e-6))
