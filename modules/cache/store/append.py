"""Accepting records: known ids are left out, room is made, the rest is sealed and stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

import apsw

from modules.cache.record import ALERTS, LONGEST_ID, PRIORITIES, Record, associated, pack_id
from modules.cache.sealing import OVERHEAD
from modules.cache.store.budget import leaves_for, pages_for_all
from modules.cache.store.errors import StoreFullError
from modules.cache.store.evict import make_room
from modules.cache.store.ids import remember
from modules.cache.store.state import State

LARGEST_PAYLOAD = 320 * 1024  # edgeHub's packets end at 256 KB; the rest is room for the sealed properties
_INSERT = {priority: f"INSERT INTO record{priority} VALUES(?,?,?,?,?,?,?,?,?,?)" for priority in PRIORITIES}
_priority = attrgetter("priority")
_INSERT_ID = "INSERT INTO ids VALUES(?,?)"


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of the records of one append; `dropped` found no room and may not displace anything."""

    stored: int = 0
    duplicates: int = 0
    dropped: int = 0

    def __add__(self, other: Appended) -> Appended:
        return Appended(self.stored + other.stored, self.duplicates + other.duplicates, self.dropped + other.dropped)


class Append:
    """Accept records, all or (StoreFullError) none; they are one commit as long as the WAL's share allows.

    `sizes`: sealed bytes of each. Raises ValueError for what no store can hold.
    """

    __slots__ = ("records", "sizes")

    def __init__(self, records: Sequence[Record]) -> None:
        sizes = []
        for record in records:
            size = len(record.payload)
            if record.priority not in _INSERT:
                raise ValueError(f"no such priority: {record.priority}")
            if not 0 < len(record.message_id) <= LONGEST_ID:
                raise ValueError(f"a message id has 1 to {LONGEST_ID} characters")
            if size > LARGEST_PAYLOAD:
                raise ValueError(f"{size} bytes are more than a record may hold, {LARGEST_PAYLOAD}")
            sizes.append(size + OVERHEAD)
        self.records = records
        self.sizes = sizes


def append(state: State, job: Append) -> Appended:
    """Store them in the open transaction. Raises StoreFullError when an alert finds no room."""
    records, sizes = job.records, job.sizes
    if len(records) == 1:
        return _append_run(state, records[0].priority, records, sizes)
    done, start = Appended(), 0
    for priority, run in groupby(records, _priority):
        end = start + sum(1 for _ in run)
        done += _append_run(state, priority, records[start:end], sizes[start:end])
        start = end
    return done


def _append_run(state: State, priority: int, records: Sequence[Record], sizes: Sequence[int]) -> Appended:
    """Records of one priority."""
    before = len(records)
    ids = [pack_id(record.message_id) for record in records]
    if not _insert_ids(state, ids):
        records, ids = _unknown(state, records, ids)
        sizes = [len(record.payload) + OVERHEAD for record in records]
        if not _insert_ids(state, ids):
            raise RuntimeError("ids changed inside a transaction")
    duplicates = before - len(records)
    state.duplicates += duplicates
    if not records:
        return Appended(0, duplicates)
    if not make_room(state, pages_for_all(leaves_for(sizes), len(sizes)), priority):
        if priority == ALERTS:
            raise StoreFullError("no room for an alert: everything that may go has gone", disk=False)
        state.connection.executemany("DELETE FROM ids WHERE id=?", [(packed,) for packed in ids])
        state.drop(priority, "full", len(records), sum(sizes))
        return Appended(0, duplicates, len(records))
    _insert(state, priority, records, ids, sizes)
    remember(state, len(records))
    return Appended(len(records), duplicates)


def _insert_ids(state: State, ids: list[bytes | str]) -> bool:
    """All of them, or none and False when one is known: repeats are rare, so nothing is asked before."""
    connection, seq = state.connection, state.seq
    if len(ids) == 1:
        try:
            connection.execute(_INSERT_ID, (ids[0], seq + 1))
        except apsw.ConstraintError:
            return False
        return True
    connection.execute("SAVEPOINT ids")
    try:
        connection.executemany(_INSERT_ID, [(packed, seq + 1 + index) for index, packed in enumerate(ids)])
    except apsw.ConstraintError:
        connection.execute("ROLLBACK TO ids")
        return False
    finally:
        connection.execute("RELEASE ids")
    return True


def _unknown(state: State, records: Sequence[Record], ids: list[bytes | str]) -> tuple[list[Record], list[bytes | str]]:
    """Those that were never accepted, each once."""
    fresh: dict[bytes | str, Record] = {}
    for packed, record in zip(ids, records, strict=True):
        if state.connection.execute("SELECT 1 FROM ids WHERE id=?", (packed,)).fetchone() is None:
            fresh.setdefault(packed, record)
    return list(fresh.values()), list(fresh)


def _insert(
    state: State, priority: int, records: Sequence[Record], ids: Sequence[bytes | str], sizes: Sequence[int]
) -> None:
    mark = state.marks.grow(priority)
    seq, total_n, total_bytes, at = state.seq, mark.total_n, mark.total_bytes, state.clock.wall()
    rows = []
    for record, packed, size in zip(records, ids, sizes, strict=True):
        seq += 1
        total_n += 1
        total_bytes += size
        rows.append(_row(state, record, packed, (seq, at, state.now, total_n, total_bytes)))
    state.connection.executemany(_INSERT[priority], rows)
    mark.depth_n += len(rows)
    mark.depth_bytes += total_bytes - mark.total_bytes
    state.appended_bytes += total_bytes - mark.total_bytes
    mark.total_n, mark.total_bytes, mark.last_seq = total_n, total_bytes, seq
    state.seq = seq


def _row(state: State, record: Record, packed: bytes | str, facts: tuple[int, int, int, int, int]) -> tuple[Any, ...]:
    """A record's columns; `facts` are seq, at, tick, total_n and total_bytes."""
    seq, at, tick, total_n, total_bytes = facts
    kind, source, source_seq = record.kind, record.source, record.source_seq
    bound = associated(
        record.priority, seq, at, tick, total_n, total_bytes, source_seq, record.message_id, kind, source
    )
    body = state.sealer.seal(record.payload, bound)
    return seq, packed, kind, source, source_seq, at, tick, total_n, total_bytes, body
