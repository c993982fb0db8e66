"""Looking for records by source and time, some rows at a time; an index would have to be paid for by each append."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import cast

from modules.cache.record import each
from modules.cache.store.state import State

_ROWS = 2000  # looked at in one step: some milliseconds in which nothing is acknowledged
_READ = each(
    "SELECT seq, CAST(source AS BLOB), CAST(at AS INTEGER), coalesce(length(body), 0)"
    " FROM {table} WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class Range:
    """Records accepted from `since` to `until` (wall clock, ms) whose source matches the pattern `source`."""

    source: str = "*"
    since: int = 0
    until: int = 1 << 62

    def covers(self, source: bytes | str, at: int | None) -> bool:
        """Whether a record is meant; one whose columns are damaged is: nobody can say that it is not."""
        if at is None:
            return True
        try:
            text = source if isinstance(source, str) else source.decode()
        except UnicodeDecodeError:
            return True
        return self.since <= at <= self.until and fnmatchcase(text, self.source)


@dataclass(frozen=True, slots=True)
class Found:
    """Seq and sealed bytes of what is meant among the rows up to seq `last`; `more`: there may be others behind."""

    rows: list[tuple[int, int]]
    last: int
    more: bool


def scan(state: State, priority: int, wanted: Range, after: int, until: int, *, most: int = _ROWS) -> Found:
    """One step: up to `most` that are meant with seq in (after, until]."""
    found: list[tuple[int, int]] = []
    last, seen = after, 0
    rows = state.connection.execute(_READ[priority], (after, until, _ROWS))
    for seq, source, at, size in cast("list[tuple[int, bytes | None, int | None, int]]", rows.fetchall()):
        seen += 1
        last = seq
        if wanted.covers(source or b"", at):
            found.append((seq, size))
            if len(found) == most:
                return Found(found, last, more=True)
    return Found(found, last, more=seen == _ROWS)
