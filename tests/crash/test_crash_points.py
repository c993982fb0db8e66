"""The power goes at any moment: what was acknowledged is there, what was not is there whole or not at all."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from modules.cache.record import PRIORITIES, Record
from modules.cache.sealing import Sealer
from modules.cache.store import LEAST_BOUND, Append, Appended, Confirm, Hand, Limits, Rewind, Store
from modules.cache.store.clock import Clock
from tests.crash.disk import Disk, Platter

KEYS = {1: b"k" * 32}
SMALL, LARGE = (1, 3000), (60_000, 180_000)
Contents = tuple[Any, ...]


def payload_of(message_id: str, size: int) -> bytes:
    return random.Random(message_id).randbytes(size)


def contents(store: Store) -> Contents:
    """All that a store promises to keep, as plain values."""
    stats = store.stats()
    records = tuple(
        (entry.seq, entry.message_id, entry.priority, entry.attempts, entry.size, entry.state)
        for priority in PRIORITIES
        for entry in store.inspect(priority, most=100_000)
    )
    depths = tuple(
        (depth.depth, depth.bytes, depth.accepted, depth.confirmed, depth.kept) for depth in stats.priorities
    )
    return records, depths, stats.dropped


@dataclass
class Step:
    """What was done up to event `done`, after which `kept` holds."""

    done: int
    kept: Contents | None
    accepted: int


class Life:
    """A seeded run of a store on a disk, remembered step by step."""

    def __init__(self, disk: Disk, folder: Path, seed: int, *, sizes: tuple[int, int], retention_ms: int = 0) -> None:
        self.disk, self.folder, self.dice, self.sizes = disk, folder, random.Random(seed), sizes
        self.limits = Limits(bound=LEAST_BOUND, retention_ms=(0, retention_ms, 0))
        self.now = 0
        self.keys = dict(KEYS)
        self.steps = [Step(0, None, 0)]
        self.ids: list[str] = []
        self.size_of: dict[str, int] = {}
        self.refused: set[str] = set()  # found no room when they came, so their ids were not taken in
        self.store = self.open(disk.name)
        self.note()

    def clock(self) -> Clock:
        return Clock(wall=lambda: 1_700_000_000_000 + self.now, monotonic=lambda: self.now)

    def open(self, vfs: str) -> Store:
        return Store.open(self.folder, Sealer(self.keys), limits=self.limits, clock=self.clock(), vfs=vfs)

    def note(self) -> None:
        self.steps.append(Step(len(self.disk.events), contents(self.store), len(self.ids)))

    def live(self, steps: int) -> None:
        for _ in range(steps):
            self.now += self.dice.randrange(5000)
            getattr(self, self.dice.choice(MOVES))()
            self.note()

    def append(self) -> None:
        records = []
        for _ in range(1 if self.sizes is LARGE else self.dice.choice((1, 1, 1, 4))):
            message_id = f"message {len(self.ids)}"
            size = self.dice.randint(*self.sizes)
            self.size_of[message_id] = size
            self.ids.append(message_id)
            priority = self.dice.choices(PRIORITIES, (1, 3, 6))[0]
            records.append(
                Record(
                    message_id=message_id,
                    priority=priority,
                    kind="window",
                    source="press4/bearing1",
                    source_seq=len(self.ids),
                    payload=payload_of(message_id, size),
                )
            )
        (result,) = self.store.apply([Append(records)])
        assert isinstance(result, Appended)
        if result.dropped:
            self.refused.update(record.message_id for record in records)

    def repeat(self) -> None:
        known = [message_id for message_id in self.ids if message_id not in self.refused]
        if known:
            message_id = self.dice.choice(known)
            record = Record(
                message_id=message_id, priority=1, kind="window", source="s", source_seq=0, payload=b"other"
            )
            (result,) = self.store.apply([Append([record])])
            assert isinstance(result, Appended)
            assert result == Appended(0, 1)

    def hand(self) -> None:
        priority = self.dice.choice(PRIORITIES)
        flight = self.store.flight(priority)
        found = self.store.peek(priority, flight.handed, most=self.dice.randrange(1, 6), most_bytes=1 << 20)
        if found:
            self.store.apply([Hand(priority, found[-1].seq, self.now)])

    def confirm(self) -> None:
        priority = self.dice.choice(PRIORITIES)
        flight = self.store.flight(priority)
        if flight.records:
            self.store.apply([Confirm(priority, self.dice.choice(flight.records)[0])])

    def rewind(self) -> None:
        self.store.apply([Rewind(self.dice.choice(PRIORITIES))])

    def upkeep(self) -> None:
        self.store.upkeep()

    def reopen(self) -> None:
        self.store.close()
        self.store = self.open(self.disk.name)

    def rekey(self) -> None:
        self.keys[max(self.keys) + 1] = bytes([max(self.keys)]) * 32
        self.reopen()


MOVES = (*("append",) * 8, "repeat", *("hand",) * 3, *("confirm",) * 3, "rewind", "upkeep", "reopen", "rekey")


def crash_everywhere(life: Life, new_disk: Callable[..., Disk], points: int, dice: random.Random) -> None:
    """At `points` places of a life: lose the power, open, and compare with what was acknowledged by then."""
    events = life.disk.events
    assert life.disk.most_bytes <= LEAST_BOUND
    platter, fed, step = Platter(), 0, 0
    for place in sorted(dice.choices(range(len(events) + 1), k=points)):
        while fed < place:
            platter.feed(events[fed])
            fed += 1
        while step + 1 < len(life.steps) and life.steps[step + 1].done <= place:
            step += 1
        before, after = life.steps[step], life.steps[min(step + 1, len(life.steps) - 1)]
        allowed = [before.kept] if before.done == place else [before.kept, after.kept]
        disk = new_disk(platter.crash(dice))
        store = life.open(disk.name)
        found = contents(store)
        assert found in allowed or (None in allowed and not any(found[0])), f"power lost at event {place}"
        for priority in PRIORITIES:
            for record in store.peek(priority, 0, most=1000, most_bytes=1 << 24):
                assert record.payload == payload_of(record.message_id, life.size_of[record.message_id])
        known = [message_id for message_id in life.ids[: before.accepted] if message_id not in life.refused]
        for message_id in dice.sample(known, min(2, len(known))):
            again = Record(message_id=message_id, priority=2, kind="k", source="s", source_seq=0, payload=b"")
            (result,) = store.apply([Append([again])])
            assert isinstance(result, Appended)
            assert result.duplicates == 1, "an id that was accepted is accepted again"
        if dice.random() < 0.02:
            assert store.check_file() == []
        assert sum(map(len, disk.files.values())) <= LEAST_BOUND
        store.abandon()


POINTS = 700


@pytest.mark.parametrize("seed", range(3))
def test_small_records(seed: int, new_disk: Callable[..., Disk], folder: Path) -> None:
    life = Life(new_disk(), folder, seed, sizes=SMALL, retention_ms=20_000)
    life.live(120)
    crash_everywhere(life, new_disk, POINTS, random.Random(seed))


def test_eviction(new_disk: Callable[..., Disk], folder: Path) -> None:
    life = Life(new_disk(), folder, 11, sizes=LARGE)
    life.live(140)
    assert any(drop.reason == "evicted" for drop in life.store.stats().dropped)
    crash_everywhere(life, new_disk, POINTS // 3, random.Random(11))


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(100, 120))
def test_ten_thousand_points(seed: int, new_disk: Callable[..., Disk], folder: Path) -> None:
    life = Life(new_disk(), folder, seed, sizes=LARGE if seed % 4 == 0 else SMALL, retention_ms=5000 * (seed % 3))
    life.live(200)
    crash_everywhere(life, new_disk, 800 if seed % 4 else 400, random.Random(seed))
