"""What alarms must not forget, in one SQLite file: which alerts were taken, what stands, which notices are to be sent.

Everything that one alert leads to is one transaction, synced (WAL, synchronous=FULL) before the alert is acknowledged.
Relays do not wait for it.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
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
    """A notice that waits for an output, since `queued` (Unix seconds). Number 0: it is not on disk."""

    number: int
    output: str
    queued: float
    notice: Notice


@dataclass(slots=True)
class Batch:
    """What one transaction does: alerts taken, conditions as JSON or None where over, notices to add and to let go."""

    taken: dict[str, Key] = field(default_factory=dict)
    conditions: dict[Key, bytes | None] = field(default_factory=dict)
    notices: list[Queued] = field(default_factory=list)
    spent: list[int] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.taken or self.conditions or self.notices or self.spent)

    def __or__(self, later: "Batch") -> "Batch":
        """Both; of one condition the later counts."""
        return Batch(
            self.taken | later.taken,
            self.conditions | later.conditions,
            self.notices + later.notices,
            self.spent + later.spent,
        )

    def without_notices(self) -> "Batch":
        """What is to be tried again where nothing could be written: notices are sent even so."""
        return replace(self, notices=[])


class Store:
    """The file at `path`; a damaged one is set aside, and `set_aside` says so. Raises sqlite3.Error, OSError.

    `write` may be called from a thread of its own: who reads meanwhile does not wait for it.
    """

    def __init__(self, path: Path) -> None:
        self._since_prune = 0
        self._connection, self.set_aside = sqlitefile.opened(path, _SCHEMA, pragmas=["synchronous=FULL"], what="alarms")
        self._reader = sqlite3.connect(path, isolation_level=None)

    def taken(self, alert_id: str) -> Key | None:
        """The condition that an alert was about; None when it has not been taken."""
        row = self._reader.execute("SELECT module, source, kind FROM taken WHERE id = ?", (alert_id,)).fetchone()
        return None if row is None else Key(*row)

    def conditions(self) -> list[Condition]:
        """Everything kept."""
        return [Condition.decode(row[0]) for row in self._reader.execute("SELECT document FROM conditions")]

    def waiting(self) -> list[Queued]:
        """What waits, oldest first."""
        rows = self._reader.execute("SELECT number, output, queued, document FROM notices ORDER BY number")
        return [Queued(number, output, queued, Notice.decode(body)) for number, output, queued, body in rows]

    def write(self, batch: Batch) -> list[Queued]:
        """All of a batch is on disk when this returns, nothing where it raises; its notices with their numbers."""
        with self._durable():
            for alert_id, key in batch.taken.items():
                self._take(alert_id, key)
            for key, document in batch.conditions.items():
                self._keep(key, document)
            queued = [self._queue(each) for each in batch.notices]
            self._connection.executemany("DELETE FROM notices WHERE number = ?", ((each,) for each in batch.spent))
        return queued

    def close(self) -> None:
        """Close the file."""
        self._reader.close()
        self._connection.close()

    @contextlib.contextmanager
    def _durable(self) -> Iterator[None]:
        """One transaction, on disk when the block ends; nothing of it where the disk refuses."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def _take(self, alert_id: str, key: Key) -> None:
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

    def _keep(self, key: Key, document: bytes | None) -> None:
        if document is None:
            self._connection.execute("DELETE FROM conditions WHERE module = ? AND source = ? AND kind = ?", key)
        else:
            self._connection.execute(
                "INSERT INTO conditions VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET document = excluded.document",
                (*key, document),
            )

    def _queue(self, new: Queued) -> Queued:
        cursor = self._connection.execute(
            "INSERT INTO notices (output, queued, document) VALUES (?, ?, ?)",
            (new.output, new.queued, new.notice.encode()),
        )
        assert cursor.lastrowid is not None
        return replace(new, number=cursor.lastrowid)
