"""The hub's disk: messages, their places in queues, sessions and small facts, in one SQLite file.

Invariants
- A message is in `message` before, and as long as, a row of `entry` names it. What a crash leaves without an entry is
  removed at the next start.
- `apply` is one transaction with synchronous=FULL on a write-ahead log: when it returns, a kill or a power cut loses
  none of it; when it raises, none of it happened.
- Rows of one queue are in the order of their ids, which is the order of arrival.

`apply` belongs to one thread; `fetch` and `oldest` use a connection of their own and may be called from another.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import apsw

from localhub.hub.fulldisk import FullDisk
from localhub.hub.message import Entry, QueuedMessage, unpack

CHUNK = 64  # rows a statement writes: the fewer steps, the fewer waits for the interpreter's lock
BUSY_MS = 5_000
WAL_LIMIT = 32 << 20  # bytes the log is cut back to after a checkpoint
CHECKPOINT_PAGES = 4_000  # 16 MB: what came and went in between is never written to the file itself
VACUUM_PAGES = 256  # pages given back at a time
VACUUM_FROM = 2_048  # unused pages (8 MB) that are kept for the next burst

_SCHEMA = """
CREATE TABLE IF NOT EXISTS queue(no INTEGER PRIMARY KEY, endpoint TEXT NOT NULL, priority INTEGER NOT NULL,
  UNIQUE(endpoint, priority));
CREATE TABLE IF NOT EXISTS message(id INTEGER PRIMARY KEY, body BLOB NOT NULL, facts BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS entry(queue INTEGER NOT NULL, id INTEGER NOT NULL, expiry REAL NOT NULL,
  size INTEGER NOT NULL, PRIMARY KEY(queue, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS session(client TEXT PRIMARY KEY, filters TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fact(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
"""


@dataclass(slots=True)
class Batch:
    """What one transaction does, in this order."""

    queues: list[tuple[int, str, int]] = field(default_factory=list)  # no, endpoint, priority
    removed: list[tuple[int, int]] = field(default_factory=list)  # queue, id
    expire: tuple[float, tuple[int, ...]] | None = None  # remove entries that expired by then, save for these ids
    dead: list[tuple[int]] = field(default_factory=list)  # ids of messages in no queue any more
    messages: list[tuple[int, bytes, bytes]] = field(default_factory=list)  # id, body, facts
    entries: list[tuple[int, int, float, int]] = field(default_factory=list)  # queue, id, expiry, size
    sessions: dict[str, dict[str, int] | None] = field(default_factory=dict)  # client: filters with QoS, None: forget
    facts: dict[str, bytes | None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(
            self.messages
            or self.removed
            or self.dead
            or self.sessions
            or self.facts
            or self.queues
            or self.expire is not None
        )


@dataclass(frozen=True, slots=True)
class StoredQueue:
    """A queue as it was found at start; bytes are those of bodies and properties."""

    no: int
    endpoint: str
    priority: int
    depth: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Recovered:
    """What the file held: the queues, how often each message in several queues is referred to, the sessions."""

    queues: list[StoredQueue]
    shared: dict[int, int]
    sessions: dict[str, dict[str, int]]
    next_id: int


class Store:
    """One file; see the module's text. `wait_s` is how many seconds the disk took over the last commit."""

    def __init__(self, path: Path, *, synced: bool = True) -> None:
        """Open or make the file; where it is not `synced`, a power cut (but no kill) may lose the last commits."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._synced = path, synced
        self.wait_s = 0.0
        self._log_pages = 0
        self._unused = False
        self._full: FullDisk | None = None
        self._to_be_full = False
        self._writer = self._open_writer()
        self._reader = _open(path, synced=synced)

    def close(self) -> None:
        """Close the file; the last one out folds the log into it."""
        if self._full is not None:
            self._full.full = False  # the fault ends with its hub
        self._reader.close()
        self._writer.close()

    def recover(self) -> Recovered:
        """Read what the next start needs, and remove messages that no queue refers to."""
        connection = self._writer
        connection.execute("DELETE FROM message WHERE id NOT IN (SELECT id FROM entry)")
        queues = [
            StoredQueue(*row)
            for row in connection.execute(
                "SELECT no, endpoint, priority, count(id), coalesce(sum(size), 0) FROM queue"
                " LEFT JOIN entry ON entry.queue = queue.no GROUP BY no"
            )
        ]
        shared = dict(connection.execute("SELECT id, count(*) AS n FROM entry GROUP BY id HAVING n > 1"))
        sessions = {
            client: json.loads(filters) for client, filters in connection.execute("SELECT client, filters FROM session")
        }
        last = connection.execute("SELECT coalesce(max(id), 0) FROM message").get
        return Recovered(queues, shared, sessions, last + 1)

    def apply(self, batch: Batch) -> list[tuple[int, int, int]]:
        """Do all of a batch durably, or raise apsw.Error and do nothing; (queue, id, size) of entries that expired."""
        if self._to_be_full is not bool(self._full):
            self._change_disk()
        connection = self._writer
        expired: list[tuple[int, int, int]] = []
        connection.execute("BEGIN IMMEDIATE")
        try:
            for queue in batch.queues:
                connection.execute("INSERT INTO queue VALUES(?, ?, ?)", queue)
            self._many("DELETE FROM entry WHERE (queue, id) IN (VALUES ", batch.removed, ")")
            if batch.expire is not None:
                moment, kept = batch.expire
                rows = connection.execute(
                    "DELETE FROM entry WHERE expiry <= ? AND id NOT IN (SELECT value FROM json_each(?))"
                    " RETURNING queue, id, size",
                    (moment, json.dumps(kept)),
                )
                expired.extend((queue, message_id, size) for queue, message_id, size in rows)
            self._many("DELETE FROM message WHERE id IN (VALUES ", batch.dead, ")")
            self._many("INSERT INTO message VALUES ", batch.messages)
            self._many("INSERT INTO entry VALUES ", batch.entries)
            for client, filters in batch.sessions.items():
                _replace(connection, "session", "client", client, None if filters is None else json.dumps(filters))
            for name, value in batch.facts.items():
                _replace(connection, "fact", "name", name, value)
            started = time.monotonic()
            connection.execute("COMMIT")
            self.wait_s = time.monotonic() - started
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return expired

    def fill(self, *, full: bool) -> None:
        """Have the disk be full from the next `apply` on, or have room again: a fault on command."""
        self._to_be_full = full

    @property
    def untidy(self) -> bool:
        """Whether the log is long, or much of the file unused."""
        return self._unused or self._log_pages >= CHECKPOINT_PAGES

    def tidy(self) -> None:
        """Fold the log into the file and give disk space back, a piece at a time; on the thread of `apply`."""
        if self._unused:
            self._writer.pragma("incremental_vacuum", VACUUM_PAGES)
        unused: int = self._writer.pragma("freelist_count")
        pages: int = self._writer.pragma("page_count")
        self._unused = unused > max(VACUUM_FROM, pages // 2)
        if not self._unused or self._log_pages >= CHECKPOINT_PAGES:  # what was vacuumed is cut off by a checkpoint
            self._writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            self._log_pages = 0

    def _open_writer(self, disk: FullDisk | None = None) -> apsw.Connection:
        writer = _open(self._path, synced=self._synced, vfs=None if disk is None else disk.name)
        writer.set_wal_hook(self._logged)  # instead of checkpoints that happen within a commit
        return writer

    def _change_disk(self) -> None:
        if self._full is not None:
            self._full.full = False
        before, disk = self._writer, FullDisk() if self._to_be_full else None
        self._writer, self._full = self._open_writer(disk), disk
        before.close()
        if disk is not None:
            disk.full = True

    def _logged(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        self._log_pages = pages
        return apsw.SQLITE_OK

    def fetch(self, queue: int, after: int, now: float, limit: int, max_bytes: int) -> list[Entry]:
        """The next unexpired entries of a queue behind an id: at most `limit`, about max_bytes, at least one."""
        found = []
        total = 0
        for number, expiry, size, body, facts in self._reader.execute(
            "SELECT entry.id, expiry, size, body, facts FROM entry JOIN message ON message.id = entry.id"
            " WHERE queue = ? AND entry.id > ? AND expiry > ? ORDER BY entry.id LIMIT ?",
            (queue, after, now, limit),
        ):
            found.append(Entry(unpack(number, body, facts), expiry, size))
            total += size
            if total >= max_bytes:
                break
        return found

    def oldest(self, queue: int) -> QueuedMessage | None:
        """The message that has been in a queue for the longest time."""
        row = self._reader.execute(
            "SELECT message.id, facts FROM entry JOIN message ON message.id = entry.id"
            " WHERE queue = ? ORDER BY entry.id LIMIT 1",
            (queue,),
        ).fetchone()
        return None if row is None else unpack(row[0], b"", row[1])

    def fact(self, name: str) -> bytes | None:
        """A small fact that was put away through a batch."""
        row = self._reader.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return None if row is None else row[0]

    def _many(self, before: str, rows: Sequence[tuple[object, ...]], after: str = "") -> None:
        """Run a statement over many rows, in as few steps as can be: chunks of powers of two keep it prepared."""
        at, left = 0, len(rows)
        while left:
            count = CHUNK if left >= CHUNK else 1 << (left.bit_length() - 1)
            chunk = rows[at : at + count]
            values = [value for row in chunk for value in row]
            self._writer.execute(before + _places(count, len(chunk[0])) + after, values)
            at += count
            left -= count


@cache
def _places(rows: int, columns: int) -> str:
    row = "(" + ", ".join("?" * columns) + ")"
    return ", ".join([row] * rows)


def _replace(connection: apsw.Connection, table: str, key: str, name: str, value: str | bytes | None) -> None:
    if value is None:
        connection.execute(f"DELETE FROM {table} WHERE {key} = ?", (name,))  # noqa: S608 - both are ours
    else:
        connection.execute(f"INSERT OR REPLACE INTO {table} VALUES(?, ?)", (name, value))


def _open(path: Path, *, synced: bool, vfs: str | None = None) -> apsw.Connection:
    connection = apsw.Connection(str(path), vfs=vfs, statementcachesize=100)
    connection.set_busy_timeout(BUSY_MS)
    connection.pragma("auto_vacuum", "incremental")
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full" if synced else "normal")
    connection.pragma("journal_size_limit", WAL_LIMIT)
    connection.pragma("cache_size", -8_000)
    connection.execute(_SCHEMA).fetchall()
    return connection
