"""One SQLite file with a bound on its bytes; a damaged one is set aside, and told.

WAL with synchronous=NORMAL for what modules send: a kill loses nothing, and a power cut may cost the last seconds here,
while the copy for the cloud is durable in the cache. What a person did is synced (`durable`) before it is answered.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from modules.common import sqlitefile

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS alerts (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    received_ms INTEGER NOT NULL,
    latency_ms REAL NOT NULL,
    source TEXT NOT NULL,
    rule TEXT NOT NULL,
    severity TEXT NOT NULL,
    state TEXT NOT NULL,
    module TEXT,
    model TEXT,
    document BLOB NOT NULL,
    acknowledged_by TEXT, acknowledged_why TEXT, acknowledged_ms INTEGER,
    resolved_by TEXT, resolved_why TEXT, resolved_ms INTEGER,
    verdict TEXT, verdict_by TEXT, verdict_why TEXT, verdict_ms INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS alerts_by_severity ON alerts (severity);
CREATE TABLE IF NOT EXISTS standing (
    module TEXT NOT NULL,
    source TEXT NOT NULL,
    rule TEXT NOT NULL,
    number INTEGER NOT NULL,
    since_ms INTEGER NOT NULL,
    item INTEGER NOT NULL,
    PRIMARY KEY (module, source, rule)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS standing_by_number ON standing (number);
CREATE TABLE IF NOT EXISTS links (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    link TEXT NOT NULL,
    state TEXT NOT NULL,
    since_ms INTEGER NOT NULL,
    until_ms INTEGER,
    seen_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS actions (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    who TEXT NOT NULL,
    role TEXT NOT NULL,
    client TEXT NOT NULL,
    what TEXT NOT NULL,
    about TEXT NOT NULL,
    why TEXT NOT NULL,
    result TEXT NOT NULL
) STRICT;
"""
_PRAGMAS: Final = ("auto_vacuum=INCREMENTAL", "synchronous=NORMAL")
_WHAT: Final = "alerts"
_PAGES_BACK: Final = 2000  # given back to the disk at a time: more would hold up the next alert


class Database:
    """The file at `path`. Every call blocks for well under a millisecond, a durable one as long as the disk syncs.

    `set_aside` says why an earlier file was put away in this start, or is empty. `renewed` is called when that happens
    while the module runs. Raises OSError and sqlite3.Error when the disk fails.
    """

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self.renewed: Callable[[], None] = lambda: None
        self._take(sqlitefile.opened(path, _SCHEMA, pragmas=_PRAGMAS, what=_WHAT))

    def execute(self, text: str, values: tuple[object, ...] | dict[str, object] = ()) -> list[sqlite3.Row]:
        """Run one statement; all its rows. A file found damaged is set aside, and the statement run on a new one."""
        try:
            return self._connection.execute(text, values).fetchall()
        except sqlite3.DatabaseError as error:
            if not sqlitefile.damaged(error):
                raise
            self._connection.close()
            self._take(sqlitefile.renewed(self.path, _SCHEMA, pragmas=_PRAGMAS, what=_WHAT, error=error))
            self.renewed()
            return self._connection.execute(text, values).fetchall()

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """One transaction: all of it or nothing."""
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        if self._connection.in_transaction:
            self._connection.execute("COMMIT")

    @contextlib.contextmanager
    def durable(self) -> Iterator[None]:
        """One transaction that is on disk, power cut or not, when the block ends."""
        self.execute("PRAGMA synchronous=FULL")
        try:
            with self.together():
                yield
        finally:
            self.execute("PRAGMA synchronous=NORMAL")

    @property
    def used_bytes(self) -> int:
        """Bytes of the file's pages that hold something."""
        pages, free, size = (
            self.execute(f"PRAGMA {name}")[0][0] for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    def give_back(self) -> None:
        """Return free pages to the disk, some at a time."""
        self.execute(f"PRAGMA incremental_vacuum({_PAGES_BACK})")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _take(self, file: tuple[sqlite3.Connection, str]) -> None:
        self._connection, self.set_aside = file
        self._connection.row_factory = sqlite3.Row
        self._connection.text_factory = lambda text: text.decode("utf-8", "replace")
