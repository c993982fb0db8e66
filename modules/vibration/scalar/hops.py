"""Windows that overlap, put together from panes one hop long.

A window is as long as k hops. Readings go into panes that do not overlap (`Windows`), and the last k panes of a sensor
merge into a window at every hop: a reading is handled once, however many windows it is in.
"""

import numpy as np
from numpy.typing import NDArray

from modules.vibration.columns import IntArray
from modules.vibration.scalar.moments import Moments
from modules.vibration.scalar.rules import Aggregation
from modules.vibration.scalar.window import WindowBatch

_NEVER = np.iinfo(np.int64).min // 2
_COLUMNS = ("start", "end", "first_seq", "last_seq", "gaps", "flags", "idle", "partial")
_MOMENTS = ("count", "mean", "m2", "m3", "m4", "low", "high", "at_low", "at_high")


class Hops:
    """The last k panes of every sensor. Pane p covers [p, p + 1) hops of time, or is the p-th so many readings.

    A window by time ends at every hop as long as it holds a reading; one by count when its panes are all there. It is
    partial when one of its panes is, or when it began before its sensor was first heard. The panes live in memory only:
    after a restart windows are partial until they hold nothing from before it.
    """

    def __init__(self, settings: Aggregation) -> None:
        self.size = 0
        self.configure(settings)

    def configure(self, settings: Aggregation) -> None:
        """Take new settings; panes of another length are forgotten."""
        shape = (settings.panes, settings.hop, settings.hop_count)
        if getattr(self, "_shape", None) == shape:
            return
        self._shape = shape
        self._panes, self._hop, self._by_count = settings.panes, settings.hop, bool(settings.count)
        size, self.size = self.size, 0
        self._number: NDArray[np.int64] = np.zeros((self._panes, 0), dtype=np.int64)
        self._kept: dict[str, NDArray[np.float64]] = {}
        self._last = self._ended = self._begun = self._made = np.zeros(0, dtype=np.int64)
        self.grow(size)

    def grow(self, size: int) -> None:
        """Make room for `size` sensors."""
        if self._panes == 1 or size <= self.size:
            self.size = max(size, self.size)
            return
        more = size - self._last.size
        self._number = np.pad(self._number, ((0, 0), (0, more)), constant_values=_NEVER)
        for name in (*_COLUMNS, *_MOMENTS):
            before = self._kept.get(name, np.zeros((self._panes, 0)))
            self._kept[name] = np.pad(before, ((0, 0), (0, more)))
        self._last, self._ended, self._begun = (
            np.pad(column, (0, more), constant_values=_NEVER) for column in (self._last, self._ended, self._begun)
        )
        self._made = np.pad(self._made, (0, more))
        self.size = size

    def take(self, panes: WindowBatch) -> list[WindowBatch]:
        """Add finished panes of distinct sensors; return the windows that ended before or with them."""
        if self._panes == 1:
            return [panes]
        who = panes.sensor
        number = panes.ordinal if self._by_count else np.round(panes.start / self._hop).astype(np.int64)
        again = number == self._last[who]
        if again.any():
            self._add(panes.rows(again), number[again])
            panes, who, number = panes.rows(~again), who[~again], number[~again]
        ended = self._end(who, number - 1)
        slot = number % self._panes
        self._number[slot, who] = number
        for name in _COLUMNS:
            self._kept[name][slot, who] = getattr(panes, name)
        for name in _MOMENTS:
            self._kept[name][slot, who] = getattr(panes.moments, name)
        first = self._last[who] == _NEVER
        self._begun[who[first]] = number[first] + panes.partial[first]
        self._last[who] = number
        self._ended[who] = number - 1
        return ended + self._end(who, number)

    def overdue(self, now: float) -> list[WindowBatch]:
        """Return windows of silent sensors that ended before `now`, Unix seconds: readings in them grow fewer."""
        if self._panes == 1 or self._by_count:
            return []
        until = np.int64(np.floor(now / self._hop)) - 1
        who = np.flatnonzero((self._last != _NEVER) & (self._ended < np.minimum(until, self._last + self._panes - 1)))
        return self._end(who, np.full(who.size, until))

    def _add(self, panes: WindowBatch, number: NDArray[np.int64]) -> None:
        """Add to panes that had been ended already: their sensor was silent for longer than the grace."""
        who, slot = panes.sensor, number % self._panes
        before = Moments(*(self._kept[name][slot, who] for name in _MOMENTS))
        after = before.merged(panes.moments)
        for name in _MOMENTS:
            self._kept[name][slot, who] = getattr(after, name)
        for name in ("gaps", "flags", "idle"):
            self._kept[name][slot, who] += getattr(panes, name)
        self._kept["last_seq"][slot, who] = panes.last_seq
        self._kept["partial"][slot, who] = True

    def _end(self, who: IntArray, until: NDArray[np.int64]) -> list[WindowBatch]:
        """End the windows whose last pane is at most `until` and that hold a reading."""
        found: list[WindowBatch] = []
        until = np.minimum(until, self._last[who] + self._panes - 1)
        while True:
            open_ = (self._ended[who] < until) & (self._last[who] != _NEVER)
            if not open_.any():
                return found
            who, until = who[open_], until[open_]
            self._ended[who] += 1
            if self._by_count:
                whole = self._ended[who] - self._begun[who] >= self._panes - 1
                if whole.any():
                    found.append(self._window(who[whole]))
            else:
                found.append(self._window(who))

    def _window(self, who: IntArray) -> WindowBatch:
        """Return the windows of `who` that end with pane `_ended`."""
        end = self._ended[who]
        begin = end - self._panes + 1
        moments = Moments.empty(who.size)
        facts = {name: np.zeros(who.size) for name in ("gaps", "flags", "idle", "partial")}
        first_seq, last_seq, start, stop = np.zeros((4, who.size))
        seen = np.zeros(who.size, dtype=np.bool_)
        for step in range(self._panes):
            number = begin + step
            slot = number % self._panes
            there = self._number[slot, who] == number
            kept = {name: np.where(there, self._kept[name][slot, who], 0.0) for name in self._kept}
            kept["low"] = np.where(there, kept["low"], np.inf)
            kept["high"] = np.where(there, kept["high"], -np.inf)
            moments = moments.merged(Moments(*(kept[name] for name in _MOMENTS)))
            for name in facts:
                facts[name] += kept[name]
            fresh = there & ~seen
            first_seq = np.where(fresh, kept["first_seq"], first_seq)
            start = np.where(fresh, kept["start"], start)
            last_seq = np.where(there, kept["last_seq"], last_seq)
            stop = np.where(there, kept["end"], stop)
            seen |= there
        if not self._by_count:
            start[:], stop[:] = begin * self._hop, (end + 1) * self._hop
        ordinal = self._made[who]
        self._made[who] += 1
        return WindowBatch(
            sensor=who,
            ordinal=ordinal,
            start=start,
            end=stop,
            first_seq=first_seq.astype(np.int64),
            last_seq=last_seq.astype(np.int64),
            gaps=facts["gaps"].astype(np.int64),
            flags=facts["flags"].astype(np.int64),
            idle=facts["idle"].astype(np.int64),
            partial=(facts["partial"] > 0) | (begin < self._begun[who]),
            moments=moments,
        )
