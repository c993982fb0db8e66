"""The cloud's one file: arrivals and twins, kept through a power cut."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

SCHEMA = """
CREATE TABLE IF NOT EXISTS arrivals (
    number INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,         -- when the cloud received it, ms since 1970
    device TEXT NOT NULL,
    module TEXT,
    message_id TEXT,
    system TEXT NOT NULL,           -- JSON objects
    properties TEXT NOT NULL,
    body BLOB NOT NULL,
    size INTEGER NOT NULL,          -- body and properties as the sender made them, bytes
    repeat INTEGER NOT NULL         -- 0 first of its id (or no id), 1 repeated identically, 2 repeated differently
) STRICT;
CREATE TABLE IF NOT EXISTS ids (
    id TEXT PRIMARY KEY,            -- sender and message id
    digest BLOB NOT NULL            -- of body and properties of the first arrival
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS twins (
    device TEXT NOT NULL,
    module TEXT NOT NULL,           -- '' for the device's own twin
    seed TEXT NOT NULL,             -- the manifest's section that desired was last replaced by
    desired TEXT NOT NULL,
    desired_version INTEGER NOT NULL,
    reported TEXT NOT NULL,
    reported_version INTEGER NOT NULL,
    PRIMARY KEY (device, module)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS identities (
    device TEXT NOT NULL,
    module TEXT NOT NULL,           -- '' for the device itself
    edge INTEGER NOT NULL,          -- 1: an IoT Edge device
    facts TEXT NOT NULL,            -- generation, keys, status, managedBy: what the registry shows
    version INTEGER NOT NULL,       -- of the facts
    tags TEXT NOT NULL,
    tags_version INTEGER NOT NULL,
    configurations TEXT NOT NULL,   -- id -> {"status"}: the automatic deployments that stand on it
    deployed TEXT NOT NULL,         -- digest of the content that they came to
    PRIMARY KEY (device, module)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS configurations (
    id TEXT PRIMARY KEY,
    document TEXT NOT NULL,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""


def open_database(path: Path) -> apsw.Connection:
    """Open for the cloud process, and make the file when it is missing; WAL, every commit synced."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = apsw.Connection(str(path))
    database.set_busy_timeout(5000)  # ms; only a reader of the command line is ever in the way
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute(SCHEMA)
    return database


@contextmanager
def transaction(database: apsw.Connection) -> Iterator[None]:
    """One transaction around the block; on disk when the block is left, undone when it raises.

    APSW's own context manager uses savepoints, and fails on its own when SQLite has rolled back already, as it does
    when the disk is full.
    """
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def open_to_read(path: Path) -> apsw.Connection:
    """Open what a cloud has left behind; raises FileNotFoundError when there is nothing."""
    if not path.exists():
        raise FileNotFoundError(path)
    return apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
