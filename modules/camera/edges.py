"""Sharp edges in the ratio of a frame to its background, and what they enclose.

An edge is sharp where the ratio's slope forms a ridge a few pixels wide. A soft shadow's slope is a plateau: opening
(erosion and dilation, Serra 1982) leaves it as it is, and takes the ridge away. What the sharp edges enclose is found
by integrating them alone, without the smooth slopes between, as retinex does (Land and McCann 1971; as Poisson's
equation, Horn 1974).
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from modules.camera.light import DARK

Grey = NDArray[np.float32]
Mask = NDArray[np.uint8]

# A sharp edge's ridge is narrower, a soft one's wider. Round: a square is 7 pixels wide across a slanting edge.
_ACROSS: Final = np.array([[abs(x) + abs(y) < 4 for x in range(-2, 3)] for y in range(-2, 3)], np.uint8)
_MIRRORED: Final = 2  # pixels at the border: the reach of the blur and of the slope
_PLATEAU: Final = 1.4  # so much of the opened slope is taken off that nothing is left of the sharpest shadow's
_HEIGHT: Final = 4.2  # the height of a sharp step over what is left of its slope, after the small picture's blur


def slope(values: Grey) -> Grey:
    """Steepness in each pixel, per pixel."""
    across = cv2.Sobel(values, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
    down = cv2.Sobel(values, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
    return np.asarray(cv2.magnitude(across, down), np.float32)


def sharp(ratio: Grey, small: Grey) -> Grey:
    """How high a sharp edge stands in each pixel, in the frame's grey levels. `ratio` is a difference of logarithms."""
    steep = _continued(slope(ratio))
    steep -= np.float32(_PLATEAU) * cv2.morphologyEx(steep, cv2.MORPH_OPEN, _ACROSS)
    np.maximum(steep, 0, out=steep)
    steep *= small + np.float32(DARK)
    steep *= np.float32(_HEIGHT)
    return steep


def _continued(steep: Grey) -> Grey:
    """The slope with its outermost pixels as those beside them: there filters see a mirrored picture, which is flat."""
    if min(steep.shape) <= 4 * _MIRRORED:
        return steep
    inner = steep[_MIRRORED:-_MIRRORED, _MIRRORED:-_MIRRORED]
    border = (_MIRRORED, _MIRRORED, _MIRRORED, _MIRRORED)
    return np.asarray(cv2.copyMakeBorder(inner, *border, cv2.BORDER_REPLICATE), np.float32)


class Enclosed:
    """Integrates sharp edges of pictures of one shape; rows and columns are even numbers (the transform's)."""

    def __init__(self, rows: int, columns: int) -> None:
        down = 2 * np.cos(np.pi * np.arange(rows) / rows) - 2
        across = 2 * np.cos(np.pi * np.arange(columns) / columns) - 2
        both = down[:, None] + across[None, :]
        both[0, 0] = 1
        inverse = 1 / both
        inverse[0, 0] = 0
        self._inverse: Final = inverse.astype(np.float32)

    def heights(self, ratio: Grey, near: Grey) -> Grey:
        """The ratio as its slopes where `near` is 1 make it, those elsewhere taken for 0; most of the picture at 0."""
        across = np.diff(ratio, axis=1)
        across *= near[:, 1:] * near[:, :-1]
        down = np.diff(ratio, axis=0)
        down *= near[1:] * near[:-1]
        bends = np.zeros_like(ratio)
        bends[:, :-1] += across
        bends[:, 1:] -= across
        bends[:-1] += down
        bends[1:] -= down
        heights = np.asarray(cv2.idct(cv2.dct(bends) * self._inverse), np.float32)
        some = heights[::2, ::2].ravel()
        heights -= np.partition(some, some.size // 2)[some.size // 2]
        return heights
