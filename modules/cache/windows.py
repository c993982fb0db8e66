"""The hours in which the drain may send (pure): daily windows in a zone, on a wall clock that may be wrong.

The rule about a wrong clock: windows come every day, so one that has not opened for a day of the store's own clock was
never going to; then the drain is open for an hour, whatever the wall clock says, and the day begins anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, tzinfo

LONGEST_SHUT_S = 24 * 3600.0
OPENED_FOR_S = 3600.0
_DAY_S = 24 * 3600
_LOOK_AGAIN_S = 60.0  # the wall clock may be set at any time


@dataclass(frozen=True, slots=True)
class Window:
    """Open from `opens` to `closes`, times of day; over midnight where it closes before it opens; else all day."""

    opens: time
    closes: time

    def opens_in(self, now: time) -> float:
        """Seconds until it is open; 0 when it is."""
        at, opens, closes = _seconds(now), _seconds(self.opens), _seconds(self.closes)
        if opens == closes or (at - opens) % _DAY_S < (closes - opens) % _DAY_S:
            return 0.0
        return float((opens - at) % _DAY_S)


@dataclass(slots=True)
class Schedule:
    """Open always when there are no windows. `running` is the store's own clock in seconds, here and below."""

    windows: Sequence[Window]
    zone: tzinfo
    last_open: float
    """When it was open last."""
    _forced_until: float = field(default=0.0)

    def wait(self, wall: datetime, running: float) -> float:
        """Seconds until to ask again; 0 when it is open."""
        here = wall.astimezone(self.zone).timetz().replace(tzinfo=None)
        shut = min((window.opens_in(here) for window in self.windows), default=0.0)
        if not shut:
            self.last_open = running
            return 0.0
        if running - self.last_open >= LONGEST_SHUT_S:
            self._forced_until = running + OPENED_FOR_S
            self.last_open = running + OPENED_FOR_S
        if running < self._forced_until:
            return 0.0
        return min(shut, _LOOK_AGAIN_S)


def _seconds(at: time) -> int:
    return at.hour * 3600 + at.minute * 60 + at.second
