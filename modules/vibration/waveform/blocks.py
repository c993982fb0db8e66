"""Puts one sensor's blocks of samples together into overlapping windows."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

KEPT_WINDOWS = 4  # past samples kept for slow shafts, the choice of band and the page
_CLOCK_STEP = 2.0  # seconds by which a block may miss its expected time before the signal counts as interrupted


class OutOfPlaceError(ValueError):
    """A block that cannot be joined on; `reason` is a short counter label: duplicate, late."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Block:
    """Equally spaced samples float32[n] in the sensor's unit, the first at `time` (Unix seconds)."""

    samples: Float32
    rate_hz: float
    time: float
    seq: int
    rpm: float | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """A whole window; `start`, `end` in Unix seconds.

    `samples` and `past` are views that last until the next block comes; `past` are the contiguous samples up to the
    window's end that are still kept, itself among them: KEPT_WINDOWS - 1 windows at least, once so many have come.
    """

    samples: Float32
    past: Float32
    start: float
    end: float
    first_seq: int
    last_seq: int
    gaps: int


class Assembler:
    """The last samples of one sensor in one buffer, so that every window is a plain slice of it.

    A block is copied once. When the buffer is full its tail moves to the front, which costs less than one copy of
    each sample more. A missing block, another rate or a jump of the clock starts the signal anew: a window never spans
    a hole.
    """

    def __init__(self, window: int, hop: int, rate_hz: float) -> None:
        self.window = window
        self.hop = hop
        self.rate_hz = rate_hz
        self.gaps = 0
        self._buffer: Float32 = np.empty((KEPT_WINDOWS + 1) * window, dtype=np.float32)
        self._filled = 0
        self._next = 0
        self._marks: deque[tuple[int, int, float]] = deque()  # where each kept block begins, its seq, its time
        self._last_seq: int | None = None
        self._expected = 0.0
        self._new_gaps = 0

    def add(self, block: Block) -> Iterator[Window]:
        """Join a block on and yield the windows it completes. Raises OutOfPlaceError before anything has changed."""
        self._check(block)
        self._last_seq = block.seq
        self._expected = block.time + block.samples.size / block.rate_hz
        return self._windows(block)

    def recent(self) -> Float32:
        """Return the kept contiguous samples, oldest first, as a view that lasts until the next block comes."""
        return self._buffer[: self._filled]

    def _check(self, block: Block) -> None:
        if self._last_seq is None:
            return
        behind = self._expected - block.time
        if block.seq <= self._last_seq and 0 < behind < 60 * max(1.0, self.window / self.rate_hz):
            raise OutOfPlaceError("duplicate" if block.seq == self._last_seq else "late")
        missing = block.seq - self._last_seq - 1
        if missing > 0 or abs(behind) > _CLOCK_STEP or block.seq <= self._last_seq:
            self._new_gaps += max(missing, 1)
            self.gaps += max(missing, 1)
            self._restart()

    def _windows(self, block: Block) -> Iterator[Window]:
        begin = 0
        while begin < block.samples.size:
            if self._filled == self._buffer.size:
                self._make_room()
            part = block.samples[begin : begin + self._buffer.size - self._filled]
            self._marks.append((self._filled, block.seq, block.time + begin / block.rate_hz))
            self._buffer[self._filled : self._filled + part.size] = part
            self._filled += part.size
            begin += part.size
            while self._next + self.window <= self._filled:
                yield self._cut()

    def _cut(self) -> Window:
        start, stop = self._next, self._next + self.window
        self._next += self.hop
        holding = [mark for mark in self._marks if mark[0] < stop]
        first = max((mark for mark in holding if mark[0] <= start), default=holding[0])
        place, last_seq, time = holding[-1]
        end = time + (stop - 1 - place) / self.rate_hz
        gaps, self._new_gaps = self._new_gaps, 0
        begin = end - (self.window - 1) / self.rate_hz
        return Window(self._buffer[start:stop], self._buffer[:stop], begin, end, first[1], last_seq, gaps)

    def _make_room(self) -> None:
        keep_from = min(self._next, self._filled - (KEPT_WINDOWS - 1) * self.window)
        kept = self._filled - keep_from
        self._buffer[:kept] = self._buffer[keep_from : self._filled].copy()
        self._filled = kept
        self._next -= keep_from
        old = [mark for mark in self._marks if mark[0] <= keep_from]
        self._marks = deque((place - keep_from, seq, time) for place, seq, time in self._marks if place > keep_from)
        if old:
            place, seq, time = old[-1]
            self._marks.appendleft((0, seq, time + (keep_from - place) / self.rate_hz))

    def _restart(self) -> None:
        self._filled = 0
        self._next = 0
        self._marks.clear()
