"""The last frames of a camera, in memory, of at most so many bytes: what was before an event, or at a moment."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from modules.camera.cut import covering
from modules.camera.frame import Frame

SIDE: Final = (640, 360)
EVERY_S: Final = 0.5


class Ring:
    """Frames in the order of their times; the oldest go for new ones. Nothing of it is ever on a disk.

    With ``small`` it keeps two frames a second, scaled down to cover 640 x 360, else every frame as it is.
    """

    def __init__(self, limit: int, *, small: bool) -> None:
        self._limit, self._small = limit, small
        self._frames: deque[Frame] = deque()
        self.size = 0
        """Bytes of the pictures."""

    def __len__(self) -> int:
        return len(self._frames)

    def add(self, frame: Frame) -> None:
        """Keep the frame, if it is time for one; a single one over the bound is not kept."""
        if self._small:
            last = self._frames[-1].captured if self._frames else None
            if last is not None and timedelta(0) <= frame.captured - last < timedelta(seconds=EVERY_S):
                return
            picture = covering(frame.picture, *SIDE)
            frame = replace(frame, pixels=picture if picture is not frame.picture else picture.copy(), luma=None)
            frame = replace(frame, encoded=None)
        self._frames.append(frame)
        self.size += _bytes(frame)
        while self.size > self._limit:
            self.size -= _bytes(self._frames.popleft())

    def before(self, moment: datetime, seconds: float) -> Iterator[Frame]:
        """The frames of the seconds before the moment, oldest first."""
        since = moment - timedelta(seconds=seconds)
        return (frame for frame in list(self._frames) if since <= frame.captured < moment)

    def nearest(self, moment: datetime) -> Frame | None:
        """The frame taken nearest to the moment."""
        return min(self._frames, key=lambda frame: abs(frame.captured - moment), default=None)


def _bytes(frame: Frame) -> int:
    return frame.picture.nbytes + len(frame.encoded or b"") + (0 if frame.luma is None else frame.luma.nbytes)
