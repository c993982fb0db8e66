"""Large stores, quickly: records go in by the store's own jobs, but nothing waits for the disk until they are in."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from modules.cache.record import Record
from modules.cache.sealing import Sealer
from modules.cache.store import Append, Appended, Limits, Store

KEYS = {1: b"k" * 32}
GROUP = 500
BOUND = 16 << 30
LIMITS = Limits(bound=BOUND, horizon_ids=10_000_000)


def fill(folder: Path, records: int, size: int) -> None:
    """Make a store in `folder` with so many records of so many bytes, one in a hundred of them an alert."""
    store = Store.open(folder, Sealer(KEYS), limits=LIMITS)
    connection = store._state.connection
    connection.execute("PRAGMA synchronous=OFF")
    append(store, records, size)
    connection.execute("PRAGMA synchronous=FULL")
    store.close()


def fill_disk(vfs: str, folder: Path, records: int, size: int) -> None:
    """The same on a disk of an SQLite VFS."""
    store = Store.open(folder, Sealer(KEYS), limits=Limits(), vfs=vfs)
    append(store, records, size)
    store.close()


def append(store: Store, records: int, size: int) -> None:
    for start in range(0, records, GROUP):
        some = group(start, min(GROUP, records - start), size)
        (result,) = store.apply([Append(some)])
        assert result == Appended(len(some)), result


def group(start: int, records: int, size: int) -> list[Record]:
    """Records numbered from `start`, with UUIDv7 a millisecond apart; a hundredth are alerts."""
    body = os.urandom(size)
    return [
        Record(
            message_id=str(uuid.UUID(int=(1_700_000_000_000 + number) << 80 | 7 << 76 | 2 << 62 | number)),
            priority=0 if number % 100 == 0 else 1 + number // GROUP % 2,
            kind="window",
            source="press4/bearing1",
            source_seq=number,
            payload=body,
        )
        for number in range(start, start + records)
    ]
