"""Whether the cloud takes what is sent (pure): told by whether edgeHub's queue to it moves, and by edgeHub itself."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

_LEAST_PATIENCE_S = 2.0  # a message over a good link is gone in well under a second
_LONGEST_PATIENCE_S = 60.0
_TIMES = 3.0  # as long as the quickest of the last few took: one slow message does not make a slow link
_FEW = 3


@dataclass(slots=True)
class Stall:
    """`link` is `up` or `down`, `unknown` before anything was sent. Times are monotonic, in seconds."""

    link: str = "unknown"
    _away: bool | None = None
    _moved: float = -math.inf
    _took: deque[float] = field(default_factory=lambda: deque(maxlen=_FEW))

    @property
    def patience(self) -> float:
        """How long nothing may move: longer where the link is known to be slow, so that it is not called down."""
        usual = min(self._took) if len(self._took) == _FEW else 0.0
        return min(max(_LEAST_PATIENCE_S, _TIMES * usual), _LONGEST_PATIENCE_S)

    def moved(self, handed: float, now: float) -> bool:
        """A message handed at `handed` has left edgeHub; True when the link is another than before."""
        if self.link == "up":  # else it waited for the link, which says nothing about how fast it is
            self._took.append(now - max(handed, self._moved))
        self._moved = now
        return self._become("up")

    def waits(self, oldest: float, now: float) -> bool:
        """The oldest in edgeHub was handed at `oldest` and is there yet; True when the link is another than before."""
        return now >= self.due(oldest) and self._become("down")

    def told(self, *, away: bool | None, now: float) -> bool:
        """EdgeHub knows that it does not reach the cloud, or that it does; True when the link is another than before.

        Only news counts: edgeHub takes up to minutes to find out, and the queue may have told meanwhile.
        """
        if away is None or away == self._away:
            return False
        self._away = away
        if away:
            return self._become("down")
        self._moved = now  # what waits gets its patience anew
        return self._become("up")

    def due(self, oldest: float) -> float:
        """When the link counts as down, if nothing moves until then."""
        return max(oldest, self._moved) + self.patience

    def _become(self, link: str) -> bool:
        before, self.link = self.link, link
        return before != link
