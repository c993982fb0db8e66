"""What light does to a picture, and how its part in a change is found.

Light multiplies: lamps that are switched, shadows, dusk, the bands of mains lamps, the camera's own exposure. In
logarithms it adds a field, and the field is smooth, for lamps are no points and shadows have soft edges. What a thing
adds has edges as sharp as the picture (Land and McCann 1971 part light from surfaces the same way).
"""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.float32]

DARK: Final = 8.0  # grey levels added before the logarithm: below them there is only noise
BRIGHT: Final = 235.0  # grey levels: above them a sensor says less and less of the light
_MOST: Final = math.log(250 + DARK)
_SHRINK: Final = 4
_SPREAD: Final = 2.0  # standard deviation of the field's smoothing, in pixels of a quarter of the small picture
_NOTHING: Final = 0.02


def logarithm(small: Grey) -> Grey:
    """Natural logarithm of the grey levels, `DARK` added."""
    return np.asarray(cv2.log(small + np.float32(DARK)), np.float32)


def sensed(logs: Grey) -> Grey:
    """What a sensor makes of these logarithms, that knows no brighter than white."""
    return np.minimum(logs, np.float32(_MOST))


def field(values: Grey, weight: Grey) -> Grey:
    """The smooth field in `values`: means round each pixel, filled in from around where the weight is small."""
    rows, columns = values.shape
    size = (max(1, columns // _SHRINK), max(1, rows // _SHRINK))
    sums = cv2.resize(values * weight, size, interpolation=cv2.INTER_AREA)
    shares = cv2.resize(weight, size, interpolation=cv2.INTER_AREA)
    coarse = cv2.GaussianBlur(sums, (0, 0), _SPREAD) / (cv2.GaussianBlur(shares, (0, 0), _SPREAD) + _NOTHING)
    return np.asarray(cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_CUBIC), np.float32)
