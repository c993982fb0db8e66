"""How long the cloud may stay away before something is evicted (pure)."""

from __future__ import annotations

import math
from dataclasses import dataclass

LEAST_S = 10.0  # a rate from less time than this says nothing


@dataclass(slots=True)
class Intake:
    """Bytes accepted per second, averaged with a time constant so that a burst does not decide."""

    constant_s: float = 600.0
    rate: float = 0.0
    started: float = math.nan
    last: float = math.nan
    total: int = 0

    def observe(self, total: int, now: float) -> None:
        """`total` bytes were accepted by `now` (monotonic, s)."""
        if math.isnan(self.started):
            self.started = self.last = now
            self.total = total
            return
        step = now - self.last
        if step <= 0:
            return
        # While the history is shorter than the constant, the plain mean of it is the best estimate.
        share = step / min(self.constant_s, max(now - self.started, step))
        self.rate += min(1.0, share) * ((total - self.total) / step - self.rate)
        self.last, self.total = now, total

    def hours_left(self, free: int, overhead: float, now: float) -> float | None:
        """Hours until `free` bytes are used up when nothing drains; None while the intake is not known or is nothing.

        `overhead` is what a sealed byte takes in the files.
        """
        if math.isnan(self.started) or now - self.started < LEAST_S or self.rate <= 0:
            return None
        return free / (self.rate * overhead) / 3600
