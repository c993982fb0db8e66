"""The tables, and how a connection is set up so that commit means on disk."""

from __future__ import annotations

import contextlib
from pathlib import Path

import apsw

from modules.cache.record import each
from modules.cache.store.budget import PAGE, Budget
from modules.cache.store.errors import StoreBusyError, StoreDamagedError, StoreFailingError, StoreForeignError

APPLICATION = 0x4D4C5743  # "MLWC"
VERSION = 2

_TABLES = (
    *each(
        """CREATE TABLE {table}(
            seq INTEGER PRIMARY KEY, id NOT NULL, kind TEXT NOT NULL, source TEXT NOT NULL, source_seq INTEGER NOT NULL,
            at INTEGER NOT NULL, tick INTEGER NOT NULL, total_n INTEGER NOT NULL, total_bytes INTEGER NOT NULL,
            body BLOB NOT NULL)"""
    ),
    "CREATE TABLE ids(id PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID",
    """CREATE TABLE mark(
        priority INTEGER PRIMARY KEY, confirmed INTEGER NOT NULL, handed INTEGER NOT NULL, handed_at INTEGER NOT NULL,
        depth_n INTEGER NOT NULL, depth_bytes INTEGER NOT NULL, kept_n INTEGER NOT NULL, kept_bytes INTEGER NOT NULL,
        total_n INTEGER NOT NULL, total_bytes INTEGER NOT NULL, confirmed_n INTEGER NOT NULL,
        confirmed_at INTEGER NOT NULL, last_seq INTEGER NOT NULL, again INTEGER NOT NULL, again_n INTEGER NOT NULL,
        clock INTEGER NOT NULL, seal BLOB)""",
    """CREATE TABLE batch(
        priority INTEGER, last INTEGER, first INTEGER NOT NULL, gzip INTEGER NOT NULL, seal BLOB,
        PRIMARY KEY(priority, last)) WITHOUT ROWID""",
    """CREATE TABLE erased(
        number INTEGER PRIMARY KEY, source TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL,
        who TEXT NOT NULL, why TEXT NOT NULL, at INTEGER NOT NULL, seq INTEGER NOT NULL, stored_n INTEGER NOT NULL,
        handed_n INTEGER NOT NULL, kept_n INTEGER NOT NULL, quarantined_n INTEGER NOT NULL, bytes INTEGER NOT NULL,
        done INTEGER NOT NULL, seal BLOB)""",
    """CREATE TABLE dropped(
        priority INTEGER, reason TEXT, n INTEGER, bytes INTEGER, PRIMARY KEY(priority, reason)) WITHOUT ROWID""",
    "CREATE TABLE quarantine(seq INTEGER PRIMARY KEY, priority INTEGER, id, reason TEXT, at INTEGER, body BLOB)",
    "CREATE TABLE era(seq INTEGER PRIMARY KEY, tick INTEGER NOT NULL)",
    # With a rowid: so a row of up to 4 KB, as the copy of keys.json may be, lies in one page, found without trees.
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value)",
)


# What SQLite says of a file that is not what was written (an SQLError: its schema reads differently) ...
DAMAGE = (apsw.CorruptError, apsw.NotADBError, apsw.FormatError, apsw.SQLError)
# ... and of a disk that would not do as it was told.
FAILURE = (apsw.IOError, apsw.FullError, apsw.CantOpenError, apsw.ReadOnlyError, apsw.NoMemError)


def connect(path: Path | str, *, vfs: str | None = None) -> apsw.Connection:
    """Open the database exclusively and durably, making its tables when it is new.

    Raises StoreBusyError, StoreDamagedError, StoreForeignError or StoreFailingError.
    """
    try:
        connection = apsw.Connection(str(path), vfs=vfs)
    except FAILURE as error:
        raise StoreFailingError(f"{path}: {error}") from error
    try:
        _prepare(connection)
    except (apsw.BusyError, apsw.LockedError):
        connection.close()
        raise StoreBusyError(f"{path} is in use by another process") from None
    except DAMAGE as error:
        abandon(connection)
        raise StoreDamagedError(f"{path}: {error}") from error
    except FAILURE as error:
        abandon(connection)
        raise StoreFailingError(f"{path}: {error}") from error
    except BaseException:
        abandon(connection)
        raise
    return connection


def abandon(connection: apsw.Connection) -> None:
    """Let go of a connection; the last checkpoint that goes with it may fail like anything before."""
    with contextlib.suppress(apsw.Error):
        connection.close(force=True)


def set_pragmas(connection: apsw.Connection) -> None:
    """Durable, bounded and clean; before the first table is made."""
    # An exclusive lock also keeps the WAL's index in memory: no -shm file, which would count in the bound.
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    if not connection.pragma("page_count"):  # asked of a file that has its own, auto_vacuum would write to it
        connection.execute(f"PRAGMA page_size={PAGE}")
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(
        "PRAGMA cache_spill=OFF"
    )  # a page goes to the WAL once for each commit, so its growth can be foretold
    connection.execute("PRAGMA temp_store=MEMORY")
    connection.execute("PRAGMA secure_delete=FAST")  # no deleted row stays in a page that is written anyway


def _prepare(connection: apsw.Connection) -> None:
    set_pragmas(connection)
    connection.wal_autocheckpoint(0)  # the store checkpoints when its budget says so
    application = connection.pragma("application_id")
    version = connection.pragma("user_version")
    if (application, version) == (0, 0) and not connection.execute("SELECT 1 FROM sqlite_schema").fetchall():
        _create(connection)
    elif application != APPLICATION or version != VERSION:
        raise StoreForeignError(
            f"application {application:#x}, version {version}; this program reads version {VERSION}"
        )


def _create(connection: apsw.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for table in _TABLES:
        connection.execute(table)
    connection.execute(f"PRAGMA application_id={APPLICATION}")
    connection.execute(f"PRAGMA user_version={VERSION}")
    connection.execute("COMMIT")


def limit(connection: apsw.Connection, budget: Budget) -> None:
    """Let SQLite itself refuse to outgrow the budget's pages."""
    connection.pragma("max_page_count", budget.pages)
