"""What alarms must not forget, in one SQLite file: which alerts were taken, what stands, which notices are to be sent.

Everything that one alert leads to is one transaction, synced (WAL, synchronous=FULL) before the alert is acknowledged.
"""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modules.alarms.condition import Condition, Key
from modules.alarms.notice import Notice
from modules.common import sqlitefile

TAKEN_KEPT: Final = 20_000
"""Alerts whose ids are remembered: many times what edgeHub's route can hold back and deliver again."""
_PRUNE_EVERY: Final = 500
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS taken (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    module TEXT NOT NULL, source TEXT NOT NULL, kind TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS conditions (
    module TEXT NOT NULL, source TEXT NOT NULL, kind TEXT NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (module, source, kind)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notices (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    output TEXT NOT NULL,
    queued REAL NOT NULL,
    document BLOB NOT NULL
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Queued:
    """A notice that waits for an output, since `queued` (Unix seconds)."""

    number: int
    output: str
    queued: float
    notice: Notice


class Store:
    """The file at `path`; a damaged one is set aside, and `set_aside` says so. Raises sqlite3.Error, OSError."""

    def __init__(self, path: Path) -> None:
        self._since_prune = 0
        self._connection, self.set_aside = sqlitefile.opened(path, _SCHEMA, pragmas=["synchronous=FULL"], what="alarms")

    @contextlib.contextmanager
    def durable(self) -> Iterator[None]:
        """One transaction, on disk when the block ends; nothing of it where the disk refuses."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def taken(self, alert_id: str) -> Key | None:
        """The condition that an alert was about; None when it has not been taken."""
        row = self._connection.execute("SELECT module, source, kind FROM taken WHERE id = ?", (alert_id,)).fetchone()
        return None if row is None else Key(*row)

    def take(self, alert_id: str, key: Key) -> None:
        """Note that an alert has been taken."""
        self._connection.execute(
            "INSERT INTO taken (id, module, source, kind) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
            (alert_id, *key),
        )
        self._since_prune += 1
        if self._since_prune >= _PRUNE_EVERY:
            self._since_prune = 0
            self._connection.execute(
                "DELETE FROM taken WHERE number <= (SELECT max(number) FROM taken) - ?", (TAKEN_KEPT,)
            )

    def keep(self, key: Key, condition: Condition | None) -> None:
        """Keep a condition as it is now; None: it is over."""
        if condition is None:
            self._connection.execute("DELETE FROM conditions WHERE module = ? AND source = ? AND kind = ?", key)
        else:
            self._connection.execute(
                "INSERT INTO conditions VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET document = excluded.document",
                (*key, condition.encode()),
            )

    def conditions(self) -> list[Condition]:
        """Everything kept."""
        return [Condition.decode(row[0]) for row in self._connection.execute("SELECT document FROM conditions")]

    def queue(self, output: str, notice: Notice, at: float) -> Queued:
        """Let a notice wait for an output."""
        cursor = self._connection.execute(
            "INSERT INTO notices (output, queued, document) VALUES (?, ?, ?)", (output, at, notice.encode())
        )
        assert cursor.lastrowid is not None
        return Queued(cursor.lastrowid, output, at, notice)

    def waiting(self) -> list[Queued]:
        """What waits, oldest first."""
        rows = self._connection.execute("SELECT number, output, queued, document FROM notices ORDER BY number")
        return [Queued(number, output, queued, Notice.decode(body)) for number, output, queued, body in rows]

    def drop(self, numbers: Iterable[int]) -> None:
        """Let go of notices that were sent or given up."""
        self._connection.executemany("DELETE FROM notices WHERE number = ?", ((number,) for number in numbers))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
