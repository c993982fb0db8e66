"""The watermarks and counters of one priority, kept in memory and written when a transaction changed them."""

from __future__ import annotations

import struct
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import cast

import apsw

from modules.cache.record import CONTEXT, PRIORITIES, each
from modules.cache.sealing import DamagedRecordError, Sealer


@dataclass(slots=True)
class Mark:
    """One row of the table `mark`; the fields are its columns, in their order (docs/formats/cache.md, Tables)."""

    priority: int
    confirmed: int = 0
    handed: int = 0
    handed_at: int = 0
    depth_n: int = 0
    depth_bytes: int = 0
    kept_n: int = 0
    kept_bytes: int = 0
    total_n: int = 0
    total_bytes: int = 0
    confirmed_n: int = 0
    confirmed_at: int = 0
    last_seq: int = 0
    again: int = 0
    again_n: int = 0
    clock: int = 0

    def attempts(self, seq: int) -> int:
        """How often a record was sent, at most: of records sent again together, all count as often as the oldest."""
        return (self.again_n if seq <= self.again else 0) + (1 if self.confirmed < seq <= self.handed else 0)


_values = attrgetter(*(field.name for field in fields(Mark)))  # astuple, but at the pace of a commit
COLUMNS = len(fields(Mark)) + 1
_NAMES = ", ".join(field.name for field in fields(Mark))
_WRITE = f"REPLACE INTO mark({_NAMES}, seal) VALUES({', '.join('?' * COLUMNS)})"
_READ = f"SELECT {_NAMES}, seal FROM mark"  # noqa: S608 -- names of ours
_NEWEST = each("SELECT seq, total_n, total_bytes, tick FROM {table} ORDER BY seq DESC LIMIT 1")
_OLDEST = each("SELECT seq FROM {table} ORDER BY seq LIMIT 1")
_COUNT = each("SELECT count(*), coalesce(sum(length(body)), 0) FROM {table}")
_FACTS = struct.Struct(f">{len(fields(Mark))}q")


def seal(mark: Mark, sealer: Sealer) -> bytes:
    """What proves that a row of marks is what was written."""
    return sealer.seal(b"", CONTEXT + b" mark" + _FACTS.pack(*_values(mark)))


def unseal(row: tuple[object, ...], sealer: Sealer) -> Mark:
    """The mark in a row of that table. Raises DamagedRecordError."""
    *values, sealed = row
    try:
        facts = _FACTS.pack(*values)
    except struct.error as error:
        raise DamagedRecordError(f"a mark is damaged: {error}") from error
    sealer.open(sealed if isinstance(sealed, bytes) else b"", CONTEXT + b" mark" + facts)
    return Mark(*cast("list[int]", values))


class Marks:
    """The marks of all priorities, with the appends since they were written already counted in."""

    def __init__(self, connection: apsw.Connection, sealer: Sealer) -> None:
        self._connection = connection
        self._sealer = sealer
        self._saved: dict[int, tuple[int, ...]] = {}
        self._dirty = False
        self.damaged: list[int] = []
        self.fresh = False
        self.by_priority = self._load()

    def _load(self) -> dict[int, Mark]:
        """Read them; a record stored after its mark was written carries the totals that bring the mark up to date."""
        rows = {row[0]: row for row in self._connection.execute(_READ)}
        self.fresh = not rows
        marks = {}
        for priority in PRIORITIES:
            newest = self._connection.execute(_NEWEST[priority]).fetchone()
            mark = Mark(priority)
            if priority in rows or newest:
                try:
                    mark = unseal(rows.get(priority, ()) or (None, None), self._sealer)
                except DamagedRecordError:
                    mark = self._recount(priority)
                    self.damaged.append(priority)
            if newest and newest[0] > mark.last_seq:
                mark.depth_n += newest[1] - mark.total_n
                mark.depth_bytes += newest[2] - mark.total_bytes
                mark.last_seq, mark.total_n, mark.total_bytes, mark.clock = newest
            marks[priority] = mark
        return marks

    def _recount(self, priority: int) -> Mark:
        """A mark that cannot be trusted is worked out from the records: none of them was delivered, for all we know."""
        mark = Mark(priority)
        oldest = self._connection.execute(_OLDEST[priority]).fetchone()
        newest = self._connection.execute(_NEWEST[priority]).fetchone()
        if oldest and newest:
            mark.confirmed = mark.handed = oldest[0] - 1
            mark.last_seq, mark.total_n, mark.total_bytes, mark.clock = newest
            ((mark.depth_n, mark.depth_bytes),) = self._connection.execute(_COUNT[priority])
        return mark

    def __getitem__(self, priority: int) -> Mark:
        return self.by_priority[priority]

    def all(self) -> list[Mark]:
        """One for each priority, the highest first."""
        return [self.by_priority[priority] for priority in PRIORITIES]

    def begin(self) -> None:
        """A transaction begins."""
        self._saved.clear()
        self._dirty = False

    def grow(self, priority: int) -> Mark:
        """To be changed in a way that the newest record tells, so that the row need not be written."""
        mark = self.by_priority[priority]
        if priority not in self._saved:
            self._saved[priority] = _values(mark)
        return mark

    def change(self, priority: int) -> Mark:
        """To be changed in any way; written with the open transaction."""
        self._dirty = True
        return self.grow(priority)

    def undo(self) -> None:
        """As they were at `begin`."""
        for priority, values in self._saved.items():
            self.by_priority[priority] = Mark(*values)

    def touch(self) -> None:
        """Write them though nothing has changed."""
        self._dirty = True

    def write(self, tick: int) -> None:
        """Put them into the open transaction, if any was changed; they share a page, so all go."""
        if self._dirty:
            for mark in self.by_priority.values():
                mark.clock = tick
            rows = [(*_values(mark), seal(mark, self._sealer)) for mark in self.all()]
            self._connection.executemany(_WRITE, rows)
