"""What is in edgeHub and not yet known to have left it (pure): the window of one priority.

Why a queue's length tells what was delivered: edgeHub's queue is first in, first out, so what is left in it are the
last ones that came. If n messages were handed before its length was read and the length was q, then at most the last q
of them are still there, no matter who else sends, or what of ours came while it was read.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at edgeHub: the queue's length, and which instance of edgeHub it was."""

    length: int
    instance: str


@dataclass(frozen=True, slots=True)
class Handed:
    """One message that edgeHub acknowledged at `at` (monotonic, s)."""

    seq: int
    size: int
    at: float


class Verdict(Enum):
    """What a reading means for what is in flight."""

    WAIT = "wait"
    DRAINED = "drained"  # confirm up to a seq
    LOST = "lost"  # may be lost: send all of it again


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict; for DRAINED up to which seq, and how many that are."""

    verdict: Verdict
    seq: int = 0
    n: int = 0


@dataclass(slots=True)
class Flight:
    """The window of one priority: at most `most` records and `most_bytes` bytes; `ttl` (s) is the route's in edgeHub.

    `instance` is the edgeHub that holds what is in flight, as far as is known: that of the last reading.
    """

    most: int
    most_bytes: int
    ttl: float
    instance: str = ""
    handed: deque[Handed] = field(default_factory=deque)
    size: int = 0

    def room(self, size: int) -> bool:
        """Whether one more message of `size` bytes may be handed."""
        return not self.handed or (len(self.handed) < self.most and self.size + size <= self.most_bytes)

    def hand(self, seq: int, size: int, now: float) -> None:
        """EdgeHub acknowledged a message."""
        self.handed.append(Handed(seq, size, now))
        self.size += size

    @property
    def newest(self) -> int:
        """The last seq handed, 0 when nothing is in flight; to be noted before a reading is asked for."""
        return self.handed[-1].seq if self.handed else 0

    def judge(self, reading: Reading, newest: int, now: float) -> Finding:
        """What `reading` says about the records up to `newest`, the last one handed before it was asked for."""
        before = [item for item in self.handed if item.seq <= newest]
        if not before:
            self.instance = reading.instance
            return Finding(Verdict.WAIT)
        if self.instance and reading.instance != self.instance and reading.length < len(self.handed):
            return Finding(Verdict.LOST)
        self.instance = reading.instance
        left = before[: max(0, len(before) - reading.length)]
        if not left:
            return Finding(Verdict.WAIT)
        if now - left[0].at >= self.ttl:
            return Finding(Verdict.LOST)
        return Finding(Verdict.DRAINED, left[-1].seq, len(left))

    def confirm(self, seq: int) -> None:
        """The records up to `seq` are known to have left edgeHub."""
        while self.handed and self.handed[0].seq <= seq:
            self.size -= self.handed.popleft().size

    def clear(self, instance: str) -> None:
        """All of it will be handed again, to this instance."""
        self.handed.clear()
        self.size = 0
        self.instance = instance
