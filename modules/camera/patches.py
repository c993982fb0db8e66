"""Patches of a small picture that are things: what sharp edges enclose, and the marks of what is no thing after all.

A shadow with a sharp edge leaves the texture under it as it was. One with a soft edge may look sharp in single pixels,
where noise or its own dark side make its slope narrower, but not along the whole of its outline. Something that was
learnt as background and has left shows its edges in the background, not in the frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from modules.camera.edges import slope
from modules.camera.light import DARK

Grey = NDArray[np.float32]
Mask = NDArray[np.uint8]
Contour = NDArray[np.int32]

_CORE: Final = np.ones((5, 5), np.uint8)  # what is narrower is no part
_BRIDGE: Final = np.ones((7, 7), np.uint8)  # so far apart are pieces of one outline
_RIM: Final = np.ones((3, 3), np.uint8)
_SEED: Final = 3  # pixels over the tolerance that make a weak edge one
FEWEST: Final = 12  # pixels over the tolerance: less says nothing
_FILLED: Final = 0.04  # of its box at least is over the tolerance: less is specks that happen to touch
_FADES: Final = 0.1  # of the picture's width: so near its border edges are not seen
_FINE: Final = (7, 7)
_TEXTURE: Final = 0.015  # standard deviation, of the light: less texture is none
_BLUR: Final = 2.0  # pixels, standard deviation: half as wide again as a sharp edge is after the small picture's blur
_REACH: Final = 8  # pixels: the reach of that blur and of the slope


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

    def filled(self) -> Mask:
        """1 inside the outline, of the box's shape."""
        shape = np.zeros((self.height, self.width), np.uint8)
        cv2.fillConvexPoly(shape, self.contour - np.array([self.x, self.y], np.int32), 1)
        return shape

    def overlap(self, other: Patch) -> float:
        """What the two boxes share of what they cover together (0 to 1)."""
        across = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        down = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        shared = max(0, across) * max(0, down)
        return shared / (self.width * self.height + other.width * other.height - shared)


def patches(mask: Mask, weak: Mask, crest: Mask, enclosed: Mask, least: float) -> list[Patch]:
    """The patches of at least so many pixels, the largest first.

    `mask` holds the edges, `weak` those of half the tolerance, which count where they go on from one of `mask`
    (hysteresis, Canny 1986), `crest` where they stand highest, `enclosed` what they enclose. Outlines are the convex
    hulls of the crests.
    """
    count, labels = cv2.connectedComponents(weak)
    sound = np.bincount(labels.ravel(), weights=mask.ravel(), minlength=count) >= _SEED
    sound[0] = False
    edges = sound[labels].astype(np.uint8)
    solid = np.asarray(cv2.morphologyEx(enclosed, cv2.MORPH_OPEN, _CORE), np.uint8)
    joined = np.asarray(cv2.morphologyEx(edges, cv2.MORPH_CLOSE, _BRIDGE), np.uint8) | solid
    drawn = edges & crest & (mask | np.asarray(cv2.dilate(solid, _RIM), np.uint8))
    contours, _ = cv2.findContours(joined, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    found = []
    for contour in contours:
        _, _, width, height = cv2.boundingRect(contour)
        if width * height < least:
            continue
        outline = _outline(np.asarray(contour, np.int32), drawn)
        if outline is None:
            continue
        x, y, width, height = cv2.boundingRect(outline)
        patch = Patch(outline, x, y, width, height, pixels=0)
        filled = patch.filled()
        pixels = cv2.countNonZero(solid[patch.window] & filled)
        strong = cv2.countNonZero(mask[patch.window] & filled)
        if pixels >= least and strong >= max(FEWEST, _FILLED * width * height):
            found.append(replace(patch, pixels=pixels))
    return sorted(found, key=lambda patch: -patch.pixels)


def _outline(contour: Contour, edges: Mask) -> Contour | None:
    """The convex hull of the edges in the contour, drawn on to the picture's border where the contour reaches that."""
    x, y, width, height = cv2.boundingRect(contour)
    inside = np.zeros((height, width), np.uint8)
    cv2.drawContours(inside, [contour - np.array([x, y], np.int32)], -1, 1, -1)
    points = cv2.findNonZero(inside & edges[y : y + height, x : x + width])
    if points is None or len(points) < FEWEST:
        return None
    hull = points.reshape(-1, 2) + np.array([x, y], np.int32)
    (left, top), (right, bottom) = hull.min(axis=0), hull.max(axis=0)
    rows, columns = edges.shape
    reach = _FADES * columns
    on = []
    if x == 0 and left < reach:
        on += [(0, top), (0, bottom)]
    if x + width == columns and right >= columns - reach:
        on += [(columns - 1, top), (columns - 1, bottom)]
    if y == 0 and top < reach:
        on += [(left, 0), (right, 0)]
    if y + height == rows and bottom >= rows - reach:
        on += [(left, rows - 1), (right, rows - 1)]
    if on:
        hull = np.vstack([hull, np.array(on, np.int32)])
    return np.asarray(cv2.convexHull(np.asarray(hull, np.int32)), np.int32)


@dataclass(frozen=True, slots=True)
class Marks:
    """What a patch looks like.

    ``likeness``: correlation of its fine texture with the background's (-1 to 1), 0 where there is none. ``gone``: how
    much steeper the background is along its edges than the frame.
    """

    likeness: float
    gone: float


def marks(patch: Patch, small: Grey, logs: Grey, background: Grey, edges: Mask, noise: float) -> Marks:
    """Measure a patch. `logs` and `background` are logarithms, `noise` is in grey levels."""
    window = patch.window
    now, before, filled = logs[window], background[window], patch.filled()
    line = (edges[window] & filled).astype(bool)
    gone = float(slope(before)[line].sum()) / (float(slope(now)[line].sum()) + 1e-3)
    inner = cv2.erode(filled, _BRIDGE, borderValue=0).astype(bool)
    if np.count_nonzero(inner) < FEWEST:
        return Marks(0.0, gone)
    spread = noise / (float(small[window][inner].mean()) + DARK)
    return Marks(_likeness(now, before, inner, spread), gone)


def edge_width(patch: Patch, ratio: Grey, crest: Mask) -> float:
    """How wide the patch's edges are, all of them together: the standard deviation of their slopes, in pixels.

    `crest` is 1 along them. The sharper an edge, the more of its slope it loses when it is blurred once more (Zhuo and
    Sim 2011).
    """
    top, left = max(0, patch.y - _REACH), max(0, patch.x - _REACH)
    part = ratio[top : patch.y + patch.height + _REACH, left : patch.x + patch.width + _REACH]
    line = (crest[patch.window] & patch.filled()).astype(bool)
    inner = (slice(patch.y - top, patch.y - top + patch.height), slice(patch.x - left, patch.x - left + patch.width))
    once = float(slope(part)[inner][line].sum())
    twice = float(slope(np.asarray(cv2.GaussianBlur(part, (0, 0), _BLUR), np.float32))[inner][line].sum())
    if once <= twice:  # as wide as can be, or nothing at all
        return math.inf
    return _BLUR / math.sqrt((once / max(twice, 1e-9)) ** 2 - 1)


def _likeness(now: Grey, before: Grey, inner: NDArray[np.bool_], noise: float) -> float:
    """Correlation of the fine texture well inside, where there is more of it than noise."""
    a = (now - cv2.blur(now, _FINE))[inner]
    b = (before - cv2.blur(before, _FINE))[inner]
    a, b = a - a.mean(), b - b.mean()
    if float(b.std()) < max(_TEXTURE, noise) or float(a.std()) < 0.2 * float(b.std()):
        return 0.0
    return float(np.dot(a, b) / (np.sqrt(np.dot(a, a) * np.dot(b, b)) + 1e-9))
