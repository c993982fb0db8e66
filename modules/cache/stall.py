"""Whether the cloud takes what is sent (pure): told by whether edgeHub's queue to it moves."""

from __future__ import annotations

import math
from dataclasses import dataclass

_LEAST_PATIENCE_S = 2.0  # a message over a good link is gone in well under a second
_LONGEST_PATIENCE_S = 60.0
_TIMES = 3.0  # as long as it took last


@dataclass(slots=True)
class Stall:
    """`link` is `up` or `down`, `unknown` before anything was sent. Times are monotonic, in seconds."""

    link: str = "unknown"
    _moved: float = -math.inf
    _took: float = 0.0

    @property
    def patience(self) -> float:
        """How long nothing may move: longer where the link is known to be slow, so that it is not called down."""
        return min(max(_LEAST_PATIENCE_S, _TIMES * self._took), _LONGEST_PATIENCE_S)

    def moved(self, handed: float, now: float) -> bool:
        """A message handed at `handed` has left edgeHub; True when the link is another than before."""
        if self.link == "up":  # else it waited for the link, which says nothing about how fast it is
            self._took = now - max(handed, self._moved)
        self._moved = now
        return self._become("up")

    def waits(self, oldest: float, now: float) -> bool:
        """The oldest in edgeHub was handed at `oldest` and is there yet; True when the link is another than before."""
        return now >= self.due(oldest) and self._become("down")

    def due(self, oldest: float) -> float:
        """When the link counts as down, if nothing moves until then."""
        return max(oldest, self._moved) + self.patience

    def _become(self, link: str) -> bool:
        before, self.link = self.link, link
        return before != link
