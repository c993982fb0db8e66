"""How fast bytes may come, and how slowly they must not. Pure; times in seconds of any steady clock."""

from dataclasses import dataclass
from typing import Final

SLOW_S: Final = 20.0  # of reading, in which
SLOW_BYTES: Final = 2000  # at least so many must come: less is no link but somebody who holds us up


@dataclass(slots=True)
class Budget:
    """At most `rate` bytes a second, counted from the first byte on."""

    rate: float
    _free: float = float("-inf")

    def wait(self, count: int, now: float) -> float:
        """How long to wait after `count` bytes have come."""
        self._free = max(self._free, now) + count / self.rate
        return self._free - now


@dataclass(slots=True)
class Progress:
    """Whether enough comes in the time spent on reading; waiting for the budget does not count."""

    _spent: float = 0.0
    _count: int = 0

    def too_slow(self, count: int, took: float) -> bool:
        """Take one read of `count` bytes into account."""
        self._spent += took
        self._count += count
        if self._count >= SLOW_BYTES:
            self._spent, self._count = 0.0, 0
        return self._spent > SLOW_S
