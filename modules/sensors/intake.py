"""What a source has said and what has not been sent of it yet: bounded, counted, the newest of every point. Pure.

A point has a shortest interval between two readings. What comes faster replaces what waits of the same point and is
counted (`flood`), so that a source which sends ten times too much costs nobody else anything. Wall-clock times (`now`)
stamp readings; monotonic ones (`at`) measure intervals.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from modules.common.messages import Reading
from modules.sensors.point import Point, Unusable

# Beyond this a reading's own time is a wrong clock, not a late delivery.
OLDEST_S: Final = 3600.0
AHEAD_S: Final = 60.0
_MOST_NAMES: Final = 10_000  # names of wildcard topics and pushed SenML come from outside: memory stays flat
_MOST_READY: Final = 20_000
_MOST_SAMPLES: Final = 60_000  # 240,000 bytes: what one packet of edgeHub holds
_AHEAD_OF_TIME: Final = 0.5  # blocks may come twice as fast as they were sampled: what was held up is caught up with


@dataclass(frozen=True, slots=True)
class Block:
    """Equally spaced samples of one point, float32 little endian; `time` is that of the first, Unix seconds."""

    name: str
    unit: str
    rate_hz: float
    samples: bytes
    time: float


@dataclass(slots=True)
class _Slot:
    due: float
    interval: float
    held: Reading | Block | None = None
    last: Reading | None = None


@dataclass(slots=True)
class Intake:
    """One source's. `interval_s` holds for points without an interval of their own."""

    interval_s: float
    readings: int = 0
    """Readings let through since the start."""
    blocks: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    """What was left out, by reason."""
    dropped_at: float | None = None
    """When something was left out last, monotonic."""
    _counted: Counter[str] = field(default_factory=Counter)
    _slots: dict[str, _Slot] = field(default_factory=dict)
    _ready: list[Reading | Block] = field(default_factory=list)
    _held: dict[str, _Slot] = field(default_factory=dict)

    def take(self, point: Point, raw: object, *, now: float, at: float, time: float | None = None) -> bool:
        """Take a raw value of `point`, sampled at `time` where the protocol says so. Whether it could be used."""
        try:
            if point.rate_hz is None:
                reading = Reading(point.name, point.number(raw), stamp(time, now), point.unit)
            else:
                return self._take_block(point, point.samples(raw), point.rate_hz, now=now, at=at, time=time)
        except Unusable as error:
            self.refuse(error.reason, at=at)
            return False
        return self._put(reading, self.interval_s if point.interval_s is None else point.interval_s, at)

    def take_reading(self, reading: Reading, *, now: float, at: float) -> bool:
        """Take a reading that came ready made: in SenML."""
        try:
            stamp(reading.time, now)
        except Unusable as error:
            self.refuse(error.reason, at=at)
            return False
        return self._put(reading, self.interval_s, at)

    def refuse(self, reason: str, *, at: float, count: int = 1) -> None:
        """Count what was left out."""
        self.dropped[reason] += count
        self.dropped_at = at

    def flush(self, at: float) -> tuple[list[Reading], list[Block]]:
        """What is to be sent now."""
        for slot in list(self._held.values()):
            if at >= slot.due and slot.held is not None:
                self._release(slot, slot.held, at)
        ready, self._ready = self._ready, []
        readings = [item for item in ready if isinstance(item, Reading)]
        blocks = [item for item in ready if isinstance(item, Block)]
        self.readings += len(readings)
        self.blocks += len(blocks)
        return readings, blocks

    def drops(self) -> list[tuple[str, int]]:
        """What was left out since the last call: reason and count."""
        fresh = self.dropped - self._counted
        self._counted += fresh
        return list(fresh.items())

    @property
    def waiting(self) -> bool:
        """Whether a flush, now or later, has something to send."""
        return bool(self._ready or self._held)

    @property
    def last(self) -> Mapping[str, Reading]:
        """The newest reading of every point that had one, sent or not."""
        return {name: slot.last for name, slot in self._slots.items() if slot.last is not None}

    def _take_block(
        self, point: Point, samples: bytes, rate_hz: float, *, now: float, at: float, time: float | None
    ) -> bool:
        count = len(samples) // 4
        if count > _MOST_SAMPLES:
            raise Unusable("too_long")
        # Without a time of its own the block has ended as it came.
        begun = now - count / rate_hz if time is None else stamp(time, now)
        block = Block(point.name, point.unit or "", rate_hz, samples, begun)
        return self._put(block, count / rate_hz * _AHEAD_OF_TIME, at)

    def _put(self, item: Reading | Block, interval: float, at: float) -> bool:
        slot = self._slots.get(item.name)
        if slot is None:
            if len(self._slots) >= _MOST_NAMES:
                self.refuse("too_many_points", at=at)
                return False
            slot = self._slots[item.name] = _Slot(at, interval)
        slot.interval = interval
        if isinstance(item, Reading):
            slot.last = item
        if slot.held is not None and at >= slot.due:
            self._release(slot, slot.held, at)
        if slot.held is None and at >= slot.due:
            self._release(slot, item, at)
            return True
        if slot.held is not None:
            self.refuse("flood", at=at)
        slot.held = item
        self._held[item.name] = slot
        return True

    def _release(self, slot: _Slot, item: Reading | Block, at: float) -> None:
        """Let `item` go, or hold it while too much waits: then the newest of each point is what is left."""
        if len(self._ready) >= _MOST_READY:
            slot.held = item
            self._held[item.name] = slot
            return
        self._ready.append(item)
        slot.held = None
        self._held.pop(item.name, None)
        # In step with the clock, so that jitter of what comes at this very interval costs no reading.
        slot.due = slot.due + slot.interval if slot.due + slot.interval > at else at + slot.interval


def stamp(time: float | None, now: float) -> float:
    """The time of a reading, Unix seconds: its own, or else `now`. Raises Unusable('time') for a wrong clock."""
    if time is None:
        return now
    if not now - OLDEST_S <= time <= now + AHEAD_S:  # NaN, too
        raise Unusable("time")
    return time
