"""Whose turn it is to be sent (pure): alerts strictly first, the others by weight in bytes, so that none starves."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from modules.cache.record import ALERTS


@dataclass(slots=True)
class Turns:
    """Fair shares by virtual time: a priority's clock advances by what it sent divided by its weight.

    The one whose clock is furthest behind goes next, so over any stretch in which two both wait they get bytes in the
    proportion of their weights. One that had nothing to send saves up no share: it starts where the others are.
    """

    weights: Mapping[int, float]
    _clocks: dict[int, float] = field(default_factory=dict)
    _waiting: frozenset[int] = frozenset()

    def next(self, waiting: Collection[int]) -> int | None:
        """The priority to send from, among those with something to send."""
        if ALERTS in waiting:
            return ALERTS
        present = frozenset(waiting)
        if not present:
            self._waiting = present
            return None
        stayed = [self._clocks.get(priority, 0.0) for priority in present & self._waiting]
        floor = min(stayed) if stayed else max(self._clocks.values(), default=0.0)
        for priority in present - self._waiting:
            self._clocks[priority] = max(self._clocks.get(priority, 0.0), floor)
        self._waiting = present
        return min(present, key=lambda priority: (self._clocks[priority], priority))

    def sent(self, priority: int, size: int) -> None:
        """`size` bytes of a priority have gone."""
        if priority != ALERTS:
            self._clocks[priority] = self._clocks.get(priority, 0.0) + size / self.weights[priority]
