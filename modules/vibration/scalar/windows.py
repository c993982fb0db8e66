"""Windows by time or by count for all sensors.

Each sensor has a ring of its last readings. Readings are only stored as they come; moments are computed for whole
rings at once when they are full or their window ends (two passes over the values, then merged), which is both quicker
and more exact than running sums. The rings are also what the status page shows and what raw samples are cut from. They
lie slot by slot: sensors in step with each other are written next to each other, and sums run over all at once.
"""

from dataclasses import fields
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from modules.vibration.columns import BoolArray, Columns, FloatArray, IntArray
from modules.vibration.scalar.moments import Moments
from modules.vibration.scalar.readings import Readings
from modules.vibration.scalar.rules import Aggregation
from modules.vibration.scalar.window import WindowBatch

RING = 64  # a power of two: a slot is a mask away
_FOLDED_AT_ONCE = 512  # rings of this many sensors and their temporaries stay in the second-level cache


class Windows(Columns):
    """The open window of every sensor.

    A window is open from its first reading. A time window covers [k x seconds, (k + 1) x seconds); the first one of
    a sensor, one that a restart interrupted and one that was ended early are marked partial. Gaps are messages of the
    source found missing just before messages that brought the window's readings.
    """

    fills: ClassVar = {
        "slot": np.int64(0),
        "folded": np.int64(0),
        "ends": np.float64(-np.inf),
        "starts": np.float64(0),
        "first_seq": np.int64(0),
        "last_seq": np.int64(0),
        "gaps": np.int64(0),
        "flags": np.int64(0),
        "idle": np.int64(0),
        "partial": np.bool_(False),
        "ordinal": np.int64(0),
        "count": np.float64(0),
        "mean": np.float64(0),
        "m2": np.float64(0),
        "m3": np.float64(0),
        "m4": np.float64(0),
        "low": np.float64(np.inf),
        "high": np.float64(-np.inf),
        "at_low": np.float64(0),
        "at_high": np.float64(0),
    }
    slot: NDArray[np.int64]  # readings ever stored; the ring's next place is slot % RING
    folded: NDArray[np.int64]  # of those, how many the moments already hold
    ends: FloatArray
    starts: FloatArray
    first_seq: NDArray[np.int64]
    last_seq: NDArray[np.int64]
    gaps: NDArray[np.int64]
    flags: NDArray[np.int64]
    idle: NDArray[np.int64]
    partial: BoolArray
    ordinal: NDArray[np.int64]  # windows ever finished
    count: FloatArray
    mean: FloatArray
    m2: FloatArray
    m3: FloatArray
    m4: FloatArray
    low: FloatArray
    high: FloatArray
    at_low: FloatArray
    at_high: FloatArray

    def __init__(self, settings: Aggregation) -> None:
        super().__init__()
        self._ring: FloatArray = np.zeros((RING, 0))
        self._flat = self._ring.reshape(-1)
        self.configure(settings)

    def configure(self, settings: Aggregation) -> None:
        """Take new settings; open windows end as they began. Where windows overlap, these are their panes."""
        self.settings = settings
        self._seconds = settings.hop or settings.seconds
        self._readings = settings.hop_count or settings.count

    def grow(self, size: int) -> None:
        """Make room for `size` sensors."""
        if size > self.size:
            ring = np.zeros((RING, size))
            ring[:, : self.size] = self._ring
            self._ring = ring
            self._flat = ring.reshape(-1)
        super().grow(size)

    def step(self, readings: Readings, flagged: IntArray, idle: IntArray) -> list[WindowBatch]:
        """Store readings of distinct sensors; return the windows that ended before or with them.

        `flagged`, `idle`: positions of flagged readings, and of those not judged.
        """
        sensors, times = readings.rows, readings.times
        ended = []
        outside = np.flatnonzero(times >= self.ends[sensors])
        if outside.size:
            who = sensors[outside]
            past = who[self._occupied(who)]
            if past.size:
                ended.append(self._close(past))
            self._open(who, times[outside], readings.seq if isinstance(readings.seq, int) else readings.seq[outside])
        slot = self.slot[sensors]
        self._flat[(slot & (RING - 1)) * self.size + sensors] = readings.values
        slot += 1
        self.slot[sensors] = slot
        self.last_seq[sensors] = readings.seq
        if flagged.size:
            self.flags[sensors[flagged]] += 1
        if idle.size:
            self.idle[sensors[idle]] += 1
        if not isinstance(readings.lost, int) or readings.lost:
            self.gaps[sensors] += readings.lost
        full = np.flatnonzero(slot - self.folded[sensors] == RING)
        if full.size:
            self._fold(sensors[full])
        if self._readings:
            full = np.flatnonzero(self.count[sensors] + (slot - self.folded[sensors]) >= self._readings)
            if full.size:
                self.ends[sensors[full]] = times[full]
                ended.append(self._close(sensors[full]))
        return ended

    def close_overdue(self, now: float) -> list[WindowBatch]:
        """End time windows whose end lies more than the grace before `now`: their sensor has gone silent."""
        overdue = np.flatnonzero(self.ends + self.settings.grace < now)
        overdue = overdue[self._occupied(overdue)]
        return [self._close(overdue)] if overdue.size else []

    def interrupted(self) -> None:
        """Mark every open window partial: readings were missed while nobody listened. The rings begin anew."""
        self.partial |= self.ends > -np.inf
        self.slot[:] = 0
        self.folded[:] = 0

    def recent(self, sensor: int) -> FloatArray:
        """Return the last readings of a sensor, oldest first, at most RING."""
        slot = int(self.slot[sensor])
        if slot < RING:
            return self._ring[:slot, sensor].copy()
        return np.roll(self._ring[:, sensor], -(slot % RING))

    def settle(self) -> None:
        """Fold what the rings hold into the moments, so that a snapshot needs no ring."""
        self._fold(np.flatnonzero(self.slot > self.folded))

    def _occupied(self, who: IntArray) -> BoolArray:
        return (self.slot[who] > self.folded[who]) | (self.count[who] > 0)

    def _open(self, who: IntArray, times: FloatArray, seq: int | IntArray) -> None:
        if self._readings:
            self.starts[who] = times
            self.ends[who] = np.inf
        else:
            length = self._seconds
            starts = np.floor(times / length) * length
            again = (self.ordinal[who] > 0) & (self.starts[who] == starts)
            self.partial[who] = again | ((self.ordinal[who] == 0) & (times > starts))
            self.starts[who] = starts
            self.ends[who] = starts + length
        self.first_seq[who] = seq

    def _close(self, who: IntArray) -> WindowBatch:
        self._fold(who)
        batch = WindowBatch(
            sensor=who,
            ordinal=self.ordinal[who],
            start=self.starts[who],
            end=self.ends[who],
            first_seq=self.first_seq[who],
            last_seq=self.last_seq[who],
            gaps=self.gaps[who],
            flags=self.flags[who],
            idle=self.idle[who],
            partial=self.partial[who],
            moments=self._rows(who),
        )
        self._put(who, Moments.empty(who.size))
        self.ordinal[who] += 1
        self.ends[who] = -np.inf
        self.partial[who] = False
        self.gaps[who] = 0
        self.flags[who] = 0
        self.idle[who] = 0
        return batch

    def _fold(self, who: IntArray) -> None:
        """Move the readings of `who` that the moments do not hold yet from the ring into the moments."""
        who = who[self.slot[who] > self.folded[who]]
        most = int((self.slot[who] - self.folded[who]).max(initial=1))
        width = min(RING, 1 << (most - 1).bit_length())
        step = _FOLDED_AT_ONCE * RING // width
        for begin in range(0, who.size, step):
            some = who[begin : begin + step]
            slot, folded = self.slot[some], self.folded[some]
            if width < RING:  # a snapshot of sensors in step with each other: few readings are new in every ring
                places = (folded + np.arange(width)[:, None]) & (RING - 1)
                rings, first = self._ring[places, some], np.zeros(some.size, dtype=np.uint8)
            else:
                rings, first = self._ring.take(some, axis=1), (folded & (RING - 1)).astype(np.uint8)
            moments = Moments.of(rings, first, slot - folded)
            if self.count[some].any():
                moments = self._rows(some).merged(moments)
            self._put(some, moments)
            self.folded[some] = slot

    def _rows(self, who: IntArray) -> Moments:
        return Moments(*(getattr(self, field.name)[who] for field in fields(Moments)))

    def _put(self, who: IntArray, moments: Moments) -> None:
        for field in fields(Moments):
            getattr(self, field.name)[who] = getattr(moments, field.name)
