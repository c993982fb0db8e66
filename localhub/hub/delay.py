"""A slow wire: items leave in order, each after the time its bytes take and the wire's latency."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class DelayLine(Generic[T]):
    """Hands items on to `deliver`, at once as long as no bandwidth and no latency are set."""

    def __init__(self, deliver: Callable[[T], None]) -> None:
        self._deliver = deliver
        self._waiting: deque[tuple[float, int, T]] = deque()
        self._bytes_per_s: float | None = None
        self._latency_s = 0.0
        self._free_at = 0.0  # when the last byte pushed so far has gone onto the wire
        self._timer: asyncio.TimerHandle | None = None

    def set(self, bytes_per_s: float | None, latency_s: float) -> None:
        """Change the wire; what waits is timed anew from now."""
        self._bytes_per_s, self._latency_s = bytes_per_s, latency_s
        self._free_at = 0.0
        waiting = [(size, item) for _, size, item in self._waiting]
        self._waiting.clear()
        for size, item in waiting:
            self.push(item, size)
        self._arm()

    def push(self, item: T, size: int) -> None:
        """Send an item of so many bytes."""
        if not (self._waiting or self._bytes_per_s or self._latency_s):
            self._deliver(item)
            return
        busy_s = size / self._bytes_per_s if self._bytes_per_s else 0.0
        self._free_at = max(self._free_at, asyncio.get_running_loop().time()) + busy_s
        self._waiting.append((self._free_at + self._latency_s, size, item))
        self._arm()

    def clear(self) -> None:
        """Forget what is on the wire: it was cut."""
        self._waiting.clear()
        self._free_at = 0.0
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            self._timer = asyncio.get_running_loop().call_at(self._waiting[0][0], self._fire)

    def _fire(self) -> None:
        self._timer = None
        due, _, item = self._waiting.popleft()
        self._deliver(item)
        while self._waiting and self._waiting[0][0] <= due:
            self._deliver(self._waiting.popleft()[2])
        self._arm()
