"""A slow wire: items leave in order, each after the time its bytes take and the wire's latency.

Packet loss is what it is to a program at the end of a TCP connection: nothing is missing, but what was lost comes one
retransmission timeout later, twice as late each time it is lost again, and everything behind it waits. The figures are
those of Linux (TCP_RTO_MIN, TCP_RTO_MAX, tcp_retries2); that TCP also sends less when it loses is not played.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

SEGMENT = 1_448  # bytes of a program's in one packet of 1,500
FIRST_TIMEOUT_S, LONGEST_TIMEOUT_S = 0.2, 120.0
MOST_RETRIES = 15


def stall_s(size: int, loss: float, chance: Callable[[], float]) -> float:
    """Seconds lost to retransmission by so many bytes; `loss` is the share of packets lost, `chance` gives 0 to 1."""
    total = 0.0
    for _ in range(-(-size // SEGMENT) if loss else 0):
        timeout, retries = FIRST_TIMEOUT_S, 0
        while chance() < loss and retries < MOST_RETRIES:
            total += timeout
            timeout, retries = min(2 * timeout, LONGEST_TIMEOUT_S), retries + 1
    return total


class DelayLine(Generic[T]):
    """Hands items on to `deliver`, at once as long as no bandwidth, latency or loss is set."""

    def __init__(self, deliver: Callable[[T], None], chance: Callable[[], float] = random.random) -> None:
        self._deliver = deliver
        self._chance = chance
        self._loss = 0.0
        self._waiting: deque[tuple[float, int, T]] = deque()
        self._bytes_per_s: float | None = None
        self._latency_s = 0.0
        self._free_at = 0.0  # when the last byte pushed so far has gone onto the wire
        self._timer: asyncio.TimerHandle | None = None

    def set(self, bytes_per_s: float | None, latency_s: float, loss: float = 0.0) -> None:
        """Change the wire; `loss` is the share of packets that is lost. What waits is timed anew from now."""
        self._bytes_per_s, self._latency_s, self._loss = bytes_per_s, latency_s, loss
        self._free_at = 0.0
        waiting = [(size, item) for _, size, item in self._waiting]
        self._waiting.clear()
        for size, item in waiting:
            self.push(item, size)
        self._arm()

    def push(self, item: T, size: int) -> None:
        """Send an item of so many bytes."""
        if not (self._waiting or self._bytes_per_s or self._latency_s or self._loss):
            self._deliver(item)
            return
        busy_s = size / self._bytes_per_s if self._bytes_per_s else 0.0
        busy_s += stall_s(size, self._loss, self._chance)
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
