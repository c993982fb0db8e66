"""A limit in bytes per second (pure)."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(slots=True)
class Bucket:
    """Tokens are bytes; `rate` of them come each second, up to a second's worth; rate 0 means no limit.

    What is sent is taken even when it is not there: a message larger than the bucket, or an alert, which never waits,
    leaves a debt that what follows waits out. So in any time t no more than rate * (t + 1) bytes and one message go,
    alerts aside.
    """

    rate: float
    tokens: float = 0.0
    last: float = -math.inf

    def wait(self, now: float) -> float:
        """Seconds until the next message may go."""
        if not self.rate:
            return 0.0
        self._fill(now)
        return max(0.0, -self.tokens / self.rate)

    def take(self, size: int, now: float) -> None:
        """`size` bytes are sent."""
        if self.rate:
            self._fill(now)
            self.tokens -= size

    def _fill(self, now: float) -> None:
        self.tokens = min(self.rate, self.tokens + self.rate * (now - self.last)) if now > self.last else self.tokens
        self.last = max(self.last, now)
