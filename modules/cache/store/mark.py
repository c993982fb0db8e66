"""The watermarks and counters of one priority, kept in memory and written when a transaction changed them."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields, replace
from typing import Self

import apsw

from modules.cache.record import PRIORITIES, each


@dataclass(slots=True)
class Mark:
    """One row of the table `mark`; the fields are its columns, in their order (docs/formats/cache.md, Tables)."""

    priority: int
    confirmed: int
    handed: int
    handed_at: int
    depth_n: int
    depth_bytes: int
    kept_n: int
    kept_bytes: int
    total_n: int
    total_bytes: int
    confirmed_n: int
    confirmed_at: int
    last_seq: int
    clock: int

    def copy(self) -> Self:
        """For a transaction to fall back on."""
        return replace(self)


_COLUMNS = ", ".join(field.name for field in fields(Mark))
_WRITE = f"REPLACE INTO mark({_COLUMNS}) VALUES({', '.join('?' * len(fields(Mark)))})"


_READ = "SELECT {} FROM mark".format(_COLUMNS)  # noqa: S608, UP032 -- names of ours
_NEWEST = each("SELECT seq, total_n, total_bytes, tick FROM {table} ORDER BY seq DESC LIMIT 1")


class Marks:
    """The marks of all priorities, with the appends since they were written already counted in."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._marks: dict[int, Mark] = {}
        self._saved: dict[int, Mark] = {}
        self._dirty = False
        self.load()

    def load(self) -> None:
        """Read them; a record stored after its mark was written carries the totals that bring the mark up to date."""
        self._marks = {row[0]: Mark(*row) for row in self._connection.execute(_READ)}
        for priority in PRIORITIES:
            mark = self._marks[priority]
            newest = self._connection.execute(_NEWEST[priority]).fetchone()
            if newest and newest[0] > mark.last_seq:
                mark.depth_n += newest[1] - mark.total_n
                mark.depth_bytes += newest[2] - mark.total_bytes
                mark.last_seq, mark.total_n, mark.total_bytes, mark.clock = newest

    def __getitem__(self, priority: int) -> Mark:
        return self._marks[priority]

    def all(self) -> list[Mark]:
        """One for each priority, the highest first."""
        return [self._marks[priority] for priority in PRIORITIES]

    def begin(self) -> None:
        """Remember them, for `undo`."""
        self._saved = {priority: mark.copy() for priority, mark in self._marks.items()}
        self._dirty = False

    def undo(self) -> None:
        """As they were at `begin`."""
        self._marks = self._saved

    def touch(self) -> None:
        """Something changed that the records themselves do not tell."""
        self._dirty = True

    def write(self, tick: int) -> None:
        """Put them into the open transaction, if any was touched; they share a page, so all go."""
        if self._dirty:
            for mark in self._marks.values():
                mark.clock = tick
            self._connection.executemany(_WRITE, [astuple(mark) for mark in self.all()])
