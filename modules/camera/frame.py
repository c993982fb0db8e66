"""One picture on its way from a source to a message."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""uint8, (height, width, 3) in OpenCV's blue-green-red order, or (height, width) grey."""

# edgeHub closes the connection on a packet over 262,144 bytes; topic and properties take up to 2 KB of that.
MESSAGE_BYTES = 240_000
LOWEST_QUALITY = 40
SMALLEST_SIDE = 8
LARGEST_PIXELS = 64_000_000


class BadPicture(ValueError):
    """A picture that cannot be used. ``reason`` is a short label for counters."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class Lazy:
    """A picture that is made when somebody first wants it: most frames are looked at in grey and never sent.

    It is made once, whoever wants it at the same time: two threads that have FFmpeg convert one frame hang or
    crash.
    """

    __slots__ = ("_lock", "_made", "_make")

    def __init__(self, make: Callable[[], Picture]) -> None:
        self._lock = Lock()
        self._make: Callable[[], Picture] | None = make
        self._made: Picture | None = None

    def get(self) -> Picture:
        """The picture; raises what `make` raises."""
        with self._lock:
            if self._made is None:
                assert self._make is not None
                self._made, self._make = self._make(), None
            return self._made


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A picture and where it came from.

    ``captured`` is the wall clock (UTC) at which the picture was taken, as near as the source can tell. ``encoded``
    holds the source's own JPEG bytes where it had them, so that an untouched picture is forwarded bit for bit.
    ``item`` names the part or file shown, where the source knows it. ``source_bytes`` is what the source itself spent
    on the picture. ``luma`` is the picture's grey part where the source has that for nothing: (height, width), not to
    be written to, for the decoder may still need it.
    """

    pixels: Picture | Lazy
    captured: datetime
    encoded: bytes | None = None
    item: str | None = None
    source_bytes: int = 0
    luma: Picture | None = None

    @property
    def picture(self) -> Picture:
        """The picture in colour where the source has colour."""
        return self.pixels.get() if isinstance(self.pixels, Lazy) else self.pixels

    @property
    def look(self) -> Picture:
        """What is cheapest to look at: grey where the source has that for nothing, else the picture itself."""
        return self.picture if self.luma is None else self.luma


def decode(encoded: bytes) -> Picture:
    """The picture in ``encoded`` (JPEG, PNG, BMP: what OpenCV reads), shape (height, width, 3).

    Raises BadPicture with reason ``corrupt``, ``too_small`` or ``too_large``.
    """
    if not encoded:
        raise BadPicture("corrupt", "the picture is empty")
    try:
        picture = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:  # OpenCV's own limit on pixels raises, a damaged file returns None
        raise BadPicture("too_large", f"OpenCV refuses the picture: {error}") from error
    if picture is None:
        raise BadPicture("corrupt", "the bytes are not a picture that OpenCV can read")
    return checked(np.asarray(picture, np.uint8))


def checked(picture: Picture) -> Picture:
    """``picture`` itself, if its size is one that the module works on; BadPicture if not."""
    height, width = picture.shape[:2]
    if min(height, width) < SMALLEST_SIDE:
        raise BadPicture("too_small", f"the picture is {width} x {height}; at least {SMALLEST_SIDE} a side is needed")
    if height * width > LARGEST_PIXELS:
        raise BadPicture("too_large", f"the picture is {width} x {height}; at most {LARGEST_PIXELS:,} pixels are taken")
    return picture


def encode(picture: Picture, *, quality: int, limit: int = MESSAGE_BYTES) -> tuple[bytes, Picture]:
    """``picture`` as JPEG of at most ``limit`` bytes, and the picture that is in it.

    The best quality that fits is chosen, from ``quality`` (1 to 100) down to 40; only where that is not enough the
    picture is made smaller: texture matters more to the models than the last of its resolution.
    """
    while True:
        encoded = _jpeg(picture, quality)
        if len(encoded) <= limit:
            return encoded, picture
        smallest = _jpeg(picture, LOWEST_QUALITY)
        if len(smallest) <= limit:
            return _between(picture, LOWEST_QUALITY, quality, smallest, limit), picture
        height, width = picture.shape[:2]
        factor = min(0.9, 0.95 * math.sqrt(limit / len(smallest)))
        size = (max(1, int(width * factor)), max(1, int(height * factor)))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _between(picture: Picture, fits: int, over: int, found: bytes, limit: int) -> bytes:
    """Halve the span between a quality that fits and one that does not, until it is five or less."""
    while over - fits > 5:
        middle = (fits + over) // 2
        encoded = _jpeg(picture, middle)
        if len(encoded) <= limit:
            fits, found = middle, encoded
        else:
            over = middle
    return found


def _jpeg(picture: Picture, quality: int) -> bytes:
    done, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise BadPicture("encode", "OpenCV could not encode the picture as JPEG")
    return encoded.tobytes()
