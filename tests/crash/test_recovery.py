"""Starting: what it costs does not grow with what is stored; and no wall clock decides what is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from modules.cache.record import PRIORITIES
from modules.cache.sealing import Sealer
from modules.cache.store import LEAST_BOUND, Append, Appended, Clock, Confirm, Hand, Limits, Store
from tests.crash.bulk import KEYS, fill_disk, group
from tests.crash.disk import Disk

YEAR_MS = 365 * 24 * 3_600_000
MINUTE_MS = 60_000


def reads_to_start(disk: Disk, folder: Path) -> int:
    """Pages read until the store could be asked for its figures, had taken a record and given one out."""
    reads: Counter[str] = Counter()
    disk.fail = lambda kind, _path: reads.update([kind])
    store = Store.open(folder, Sealer(KEYS), limits=Limits(), vfs=disk.name)
    store.stats()
    assert store.apply([Append([record]) for record in group(1_000_000, 1, 10)]) == [Appended(1)]
    assert store.peek(1, 0, most=1, most_bytes=1)
    store.abandon()
    return reads["read"]


def test_a_start_reads_no_more_of_a_large_store(new_disk: Callable[..., Disk], folder: Path) -> None:
    reads = []
    for records in (1_000, 20_000):
        disk = new_disk()
        fill_disk(disk.name, folder, records, 100)
        reads.append(reads_to_start(disk, folder))
    small, large = reads
    assert large <= small + 12, f"{small} pages read for 1,000 records, {large} for 20,000"  # the trees are deeper


@pytest.mark.parametrize("jump", [YEAR_MS, -YEAR_MS])
def test_a_clock_that_jumps_a_year_neither_expires_nor_keeps_for_ever(
    jump: int, new_disk: Callable[..., Disk], folder: Path
) -> None:
    wall, ticks = 1_700_000_000_000, 0
    disk = new_disk()
    limits = Limits(bound=LEAST_BOUND, horizon_ms=60 * MINUTE_MS, retention_ms=(MINUTE_MS,) * 3)

    def opened() -> Store:
        clock = Clock(wall=lambda: wall, monotonic=lambda: ticks)
        return Store.open(folder, Sealer(KEYS), limits=limits, clock=clock, vfs=disk.name)

    store = opened()
    records = group(0, 9, 100)
    assert store.apply([Append([record]) for record in records]) == [Appended(1)] * 9
    newest = store.peek(1, 0, most=100, most_bytes=1 << 20)[-1].seq
    assert store.apply([Hand(1, newest, wall), Confirm(1, newest)]) == [None, None]
    before = [(depth.depth, depth.kept) for depth in store.stats().priorities]

    wall += jump
    ticks += MINUTE_MS // 2
    for _ in range(2):
        while store.upkeep():
            pass
        assert [(depth.depth, depth.kept) for depth in store.stats().priorities] == before, "expired by the jump"
        assert store.apply([Append([record]) for record in records]) == [Appended(0, 1)] * 9, "forgotten by the jump"
        assert all(store.stats().priorities[priority].oldest_age_s < 60 for priority in PRIORITIES)
        store.close()
        store = opened()

    ticks += MINUTE_MS
    while store.upkeep():
        pass
    assert not store.stats().priorities[1].kept, "kept for ever"
    store.abandon()
