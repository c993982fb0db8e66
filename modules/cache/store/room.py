"""Who must go when room is needed: the choice (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from modules.cache.record import ALERTS, PRIORITIES


class Source(Enum):
    """Where room may come from."""

    KEPT = "kept"  # delivered, kept only for audit
    QUARANTINE = "quarantine"
    STORED = "stored"  # a drop


@dataclass(frozen=True, slots=True)
class Victim:
    """The oldest records of one source and priority."""

    source: Source
    priority: int


@dataclass(frozen=True, slots=True)
class Occupancy:
    """How many records could go: kept and stored (and not handed) by priority, and quarantined ones."""

    kept: Mapping[int, int]
    quarantined: int
    stored: Mapping[int, int]


def next_victim(incoming: int, occupancy: Occupancy) -> Victim | None:
    """Whose oldest record to give up for one of priority `incoming`; None when nothing may go for it.

    What was delivered goes first, the lowest priority first; then what is quarantined; then the oldest of the lowest
    priority that is not above the incoming one's. Stored alerts never go.
    """
    lowest_first = tuple(reversed(PRIORITIES))
    for priority in lowest_first:
        if occupancy.kept.get(priority):
            return Victim(Source.KEPT, priority)
    if occupancy.quarantined:
        return Victim(Source.QUARANTINE, ALERTS)
    for priority in lowest_first:
        if priority != ALERTS and priority >= incoming and occupancy.stored.get(priority):
            return Victim(Source.STORED, priority)
    return None
