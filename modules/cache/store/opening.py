"""What an opened file says: the state that a store begins with. Nothing is scanned."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import apsw

from modules.cache.sealing import Sealer
from modules.cache.store import ids, schema
from modules.cache.store.budget import Budget
from modules.cache.store.clock import Clock
from modules.cache.store.mark import Marks
from modules.cache.store.pages import pages_in_wal
from modules.cache.store.state import Limits, State

DATABASE = "queue.db"


def read_state(connection: apsw.Connection, folder: Path, sealer: Sealer, limits: Limits, clock: Clock) -> State:
    """Read marks and notes, and let the connection count its commits. Raises SQLite's errors, KeyError, TypeError."""
    budget = Budget.of(limits.bound)
    schema.limit(connection, budget)
    marks = Marks(connection, sealer)
    seq = max(mark.last_seq for mark in marks.all())
    state = State(
        connection=connection,
        sealer=sealer,
        limits=limits,
        clock=clock,
        marks=marks,
        budget=budget,
        measure=partial(_bytes_in, folder),
        pages_in_wal=partial(pages_in_wal, folder / DATABASE),
        offset=max(mark.clock for mark in marks.all()) - clock.monotonic(),
        seq=seq,
        memory=ids.recall(connection, seq),
        quarantined=len(connection.execute("SELECT seq FROM quarantine").fetchall()),
        batched=bool(connection.execute("SELECT 1 FROM batch LIMIT 1").fetchall()),
    )
    connection.set_wal_hook(state.note_commit)
    return state


def _bytes_in(folder: Path) -> int:
    """What the files in a folder take; 0 for a folder that only an SQLite VFS knows."""
    if not folder.is_dir():
        return 0
    with os.scandir(folder) as items:
        return sum(item.stat().st_size for item in items)
