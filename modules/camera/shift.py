"""How far the whole picture has moved against the background: a camera that shakes, or was pushed.

Small shifts come from the background's gradients by least squares (Lucas and Kanade 1981), repeated on the moved
background; what differs more than a shift can explain counts little.
"""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.float32]

_CAPS: Final = (8, 4, 2, 2, 1)  # of a round, times `cap`: far off, much differs that is nothing but the shift
_FARTHEST: Final = 4.0  # pixels of the small picture: 2.5 % of its width
_TEXTURE: Final = 2.0  # levels a pixel, RMS: below it there is nothing to hold on to


def gradients(background: Grey) -> tuple[Grey, Grey]:
    """Levels a pixel to the right and downwards."""
    across = cv2.Sobel(background, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
    down = cv2.Sobel(background, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
    return np.asarray(across, np.float32), np.asarray(down, np.float32)


def moved(background: Grey, right: float, down: float) -> Grey:
    """The background as a camera sees it whose picture has moved by so many pixels."""
    matrix = np.array([[1, 0, right], [0, 1, down]], np.float32)
    size = (background.shape[1], background.shape[0])
    shifted = cv2.warpAffine(background, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(shifted, np.float32)


def hide_new(difference: Grey, right: float, down: float) -> None:
    """Leave out the strips that came into view when the picture moved: the background does not know them."""
    columns, rows = math.ceil(abs(right) - 0.2) + 1, math.ceil(abs(down) - 0.2) + 1
    difference[:, : columns if right > 0 else 0] = 0
    difference[: rows if down > 0 else 0] = 0
    if right < 0:
        difference[:, -columns:] = 0
    if down < 0:
        difference[-rows:] = 0


def shift(small: Grey, background: Grey, slopes: tuple[Grey, Grey], cap: float) -> tuple[float, float] | None:
    """How far `small` has moved, right and down, in pixels; None where that cannot be told or is too far.

    `cap` in grey levels: what differs by more than some of it is taken for something else than the shift.
    """
    across, down = slopes
    xx, yy = float(np.vdot(across, across)) / across.size, float(np.vdot(down, down)) / down.size
    if min(xx, yy) < 1e-3 or xx + yy < _TEXTURE**2 / 8:
        return None
    right = below = 0.0
    shifted = background
    for share in _CAPS:
        rest = small - shifted
        weight = 1 / (1 + np.square(rest / (share * cap)))
        wx, wy = weight * across, weight * down
        a, b, c = float(np.vdot(wx, across)), float(np.vdot(wx, down)), float(np.vdot(wy, down))
        p, q = float(np.vdot(wx, rest)), float(np.vdot(wy, rest))
        size = a * c - b * b
        if size <= 1e-6 * max(a * c, 1e-9):
            return None
        right -= (c * p - b * q) / size
        below -= (a * q - b * p) / size
        if not (abs(right) <= _FARTHEST and abs(below) <= _FARTHEST):
            return None
        shifted = moved(background, right, below)
    return right, below
