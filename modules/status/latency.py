"""Exact percentiles of the newest latencies. Pure."""

from array import array
from bisect import bisect_left, insort
from collections import deque


class Latencies:
    """Keeps the newest `keep` values, in order of size beside order of arrival, so that no percentile needs a sort.

    A sort of 100,000 values would hold up the event loop for tens of milliseconds, and with it the next alert.
    """

    def __init__(self, keep: int = 200_000) -> None:
        self._keep = keep
        self._arrived: deque[float] = deque()
        self._sorted = array("d")
        self.count = 0
        """How many were ever added."""

    @property
    def kept(self) -> int:
        """How many of them count."""
        return len(self._sorted)

    def add(self, milliseconds: float) -> None:
        """Add one value, the oldest giving way."""
        self.count += 1
        self._arrived.append(milliseconds)
        insort(self._sorted, milliseconds)
        if len(self._arrived) > self._keep:
            del self._sorted[bisect_left(self._sorted, self._arrived.popleft())]

    def percentile(self, share: float) -> float | None:
        """The smallest kept value that at least `share` (0..1) of them do not exceed; None without values."""
        if not self._sorted:
            return None
        rank = max(0, -int(-share * len(self._sorted) // 1) - 1)
        return self._sorted[min(rank, len(self._sorted) - 1)]
