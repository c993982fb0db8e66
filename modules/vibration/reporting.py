"""Decides what of the routine goes upward: windows that differ, flags summed up, raw samples spread evenly."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from modules.vibration.columns import BoolArray, Columns, FloatArray, IntArray
from modules.vibration.scalar.outcome import Flags
from modules.vibration.scalar.window import WindowBatch

_LOUD = 5.0  # a lone flag beyond this |z| is worth a record; below it, one in 370 clean readings is flagged anyway
_GOLDEN = 0.618034  # multiples of it fall evenly into an interval, however many there are
_SPREAD = 0.5  # a deviation that grew or shrank by more than this share counts as a change
_SURE = 4.0  # standard errors by which a difference must exceed chance
_MANY_FLAGS = 3
_NAMED_FROM = 3  # flags: of sixty clean readings, six sensors in ten thousand have as many, one in a hundred has two


class OnChange(Columns):
    """Which finished windows are reported: a sensor's first, one that differs from the last reported, one now and then.

    A window of clean readings differs from another by chance: what counts as a change is four standard errors or more.
    A fault that lasts is reported when it comes and when it changes. Sensors heard for the first time together have
    their turns spread over the time between two reports.
    """

    fills: ClassVar = {
        "mean": np.float64(0),
        "deviation": np.float64(0),
        "reported": np.float64(-np.inf),
        "flagged": np.bool_(False),
    }
    mean: FloatArray
    deviation: FloatArray
    reported: FloatArray
    flagged: BoolArray

    def __init__(self, every: float, change: float) -> None:
        super().__init__()
        self.configure(every, change)

    def configure(self, every: float, change: float) -> None:
        """Report at least every `every` seconds, and when the mean moved by `change` deviations."""
        self._every = every
        self._change = change

    def choose(self, windows: WindowBatch) -> WindowBatch:
        """Return those of `windows` (distinct sensors) that are reported, and remember them."""
        who = windows.sensor
        if who.size:
            self.grow(int(who.max()) + 1)
        before, spread = self.mean[who], self.deviation[who]
        tiny = np.finfo(np.float32).eps * np.abs(before)
        # Of n Gaussian readings the mean scatters by 1 / sqrt(n) deviations, the deviation by 1 / sqrt(2 n) of itself;
        # a difference between two windows by sqrt(2) times that.
        scatter = np.sqrt(2 / windows.count)
        moved = np.abs(windows.mean - before) > np.maximum(self._change, _SURE * scatter) * spread + tiny
        ratio = 1 + np.maximum(_SPREAD, _SURE * scatter)
        wider = windows.deviation > ratio * spread + tiny
        narrower = windows.deviation * ratio < spread - tiny
        due = windows.end - self.reported[who] >= self._every
        flagged = (windows.flags >= _MANY_FLAGS) & ~self.flagged[who]
        picked = windows.rows(np.flatnonzero(due | moved | wider | narrower | flagged))
        rows = picked.sensor
        first = np.isinf(self.reported[rows])
        self.mean[rows] = picked.mean
        self.deviation[rows] = picked.deviation
        self.flagged[rows] = picked.flags >= _MANY_FLAGS
        self.reported[rows] = picked.end - np.where(first, self._every * (rows * _GOLDEN % 1), 0.0)
        return picked


def sampled(windows: WindowBatch, share: float) -> IntArray:
    """Return rows of sensors whose raw readings are kept from these windows, spread evenly over sensors and time.

    Of every sensor each 1 / share-th window is kept, and neighbouring sensors have their turn in different windows.
    """
    if share <= 0:
        return np.zeros(0, dtype=np.intp)
    turn = round(1 / share)
    return windows.sensor[np.flatnonzero((windows.sensor + windows.ordinal) % turn == turn - 1)]


class Anomalies(Columns):
    """Flags of all sensors since the last record: how many, and each sensor's most extreme one."""

    fills: ClassVar = {
        "count": np.int64(0),
        "z": np.float64(0),
        "time": np.float64(0),
        "value": np.float64(0),
    }
    count: NDArray[np.int64]
    z: FloatArray
    time: FloatArray
    value: FloatArray

    def __init__(self) -> None:
        super().__init__()
        self.begun: float | None = None
        self.readings = 0
        self.flags = 0

    def add(self, flags: Flags) -> None:
        """Take in flags of distinct sensors."""
        who = flags.sensor
        self.grow(int(who.max()) + 1)
        self.count[who] += 1
        self.flags += who.size
        worse = np.abs(flags.z) > np.abs(self.z[who])
        worst = who[worse]
        self.z[worst] = flags.z[worse]
        self.time[worst] = flags.time[worse]
        self.value[worst] = flags.value[worse]

    def due(self, now: float, every: float) -> bool:
        """Tell whether a record is due; the first call begins the first period."""
        if self.begun is None:
            self.begun = now
        return now - self.begun >= every

    def take(self, now: float, standing: BoolArray) -> tuple[float, IntArray]:
        """End the period: return when it began and the rows worth naming; `forget` starts the next.

        `standing` tells of each row whether an alert says it already.
        """
        begun, self.begun = self.begun or now, now
        unusual = (self.count >= _NAMED_FROM) | (np.abs(self.z) >= _LOUD)
        return begun, np.flatnonzero(unusual & ~standing[: unusual.size])

    def forget(self) -> None:
        """Start counting anew."""
        for name, fill in self.fills.items():
            getattr(self, name)[:] = fill
        self.readings = 0
        self.flags = 0
