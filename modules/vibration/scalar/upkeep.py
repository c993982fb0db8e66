"""Sensors that are ill themselves: stuck at one value, or silent."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from modules.vibration.columns import BoolArray, Columns, FloatArray, IntArray
from modules.vibration.scalar.windows import WindowBatch

_STILL_READINGS = 20  # a window of fewer may be constant by chance
_MOVED_WINDOWS = 3  # windows in a row that moved before a still one is strange
_INTERVALS = 10  # readings that fail to come before a sensor counts as silent
_SHORTEST_SILENCE = 30.0  # seconds; a sender may be restarted in less


class Upkeep(Columns):
    """How many windows in a row a sensor moved in, the last one's range, how often it speaks, what stands."""

    fills: ClassVar = {
        "moved": np.int64(0),
        "low": np.float64(np.nan),
        "high": np.float64(np.nan),
        "stuck": np.bool_(False),
        "interval": np.float64(np.inf),
        "silent": np.bool_(False),
    }
    moved: NDArray[np.int64]
    low: FloatArray
    high: FloatArray
    stuck: BoolArray
    interval: FloatArray
    silent: BoolArray

    def take(self, windows: WindowBatch) -> tuple[IntArray, IntArray]:
        """Look at finished windows (distinct sensors); return positions of those that got stuck, and that move again.

        A window of one value is strange only for a sensor whose last three windows each had a new smallest and a new
        largest value: a coarse one, which shows the same few values again and again, is never called stuck.
        """
        who = windows.sensor
        still = windows.low == windows.high
        stuck = still & (windows.count >= _STILL_READINGS) & (self.moved[who] >= _MOVED_WINDOWS) & ~self.stuck[who]
        freed = ~still & self.stuck[who]
        self.stuck[who] = (self.stuck[who] | stuck) & ~freed
        moved = (windows.low != self.low[who]) & (windows.high != self.high[who]) & ~still
        self.moved[who] = np.where(moved, self.moved[who] + 1, 0)
        self.low[who], self.high[who] = windows.low, windows.high
        whole = ~windows.partial & (windows.count > 1)
        self.interval[who[whole]] = ((windows.end - windows.start) / windows.count)[whole]
        return np.flatnonzero(stuck), np.flatnonzero(freed)

    def listen(self, last: FloatArray, now: float, since: float) -> tuple[IntArray, IntArray]:
        """Return rows that have fallen silent, and rows heard again.

        `last`: float64[rows], times of the last readings; `since`: when listening began (all Unix seconds).
        """
        rows = slice(0, last.size)
        patience = np.maximum(_SHORTEST_SILENCE, _INTERVALS * self.interval[rows])
        quiet = now - np.maximum(last, since) > patience
        fallen = np.flatnonzero(quiet & ~self.silent[rows])
        heard = np.flatnonzero(~quiet & self.silent[rows] & (last >= since))
        self.silent[fallen] = True
        self.silent[heard] = False
        return fallen, heard
