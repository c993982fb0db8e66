"""One SQLite file of the standard library's: opened with a write-ahead log, set aside where it is damaged.

For what a module keeps beside its work: one writer, a few hundred small transactions a second at most. The cache, whose
work is keeping, has a store of its own.
"""

import logging
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

_KEPT: Final = 2  # damaged files that are left for a look


def opened(path: Path, schema: str, *, pragmas: Sequence[str] = (), what: str) -> tuple[sqlite3.Connection, str]:
    """The file, and why an earlier one was put aside now (else empty). `pragmas` come first; `what` it keeps, in words.

    Raises OSError and sqlite3.Error when the disk fails.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _open(path, schema, pragmas), ""
    except sqlite3.DatabaseError as error:
        if not damaged(error):
            raise
        return renewed(path, schema, pragmas=pragmas, what=what, error=error)


def renewed(
    path: Path, schema: str, *, pragmas: Sequence[str] = (), what: str, error: sqlite3.DatabaseError
) -> tuple[sqlite3.Connection, str]:
    """A new file in place of a damaged one, as `opened` gives it."""
    aside = _put_aside(path)
    said = f"the kept {what} were damaged and set aside as {aside.name}"
    log.error("%s (%s): a new file is begun", said, error)
    return _open(path, schema, pragmas), said


def damaged(error: sqlite3.DatabaseError) -> bool:
    """Whether the file itself is the trouble, and not the disk or the statement."""
    text = str(error)
    return "malformed" in text or "not a database" in text or "encrypted" in text


def _open(path: Path, schema: str, pragmas: Sequence[str]) -> sqlite3.Connection:
    # One thread at a time, but not always the one that opened it: SQLite itself is built for that.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        for pragma in (*pragmas, "journal_mode=WAL", "journal_size_limit=4194304"):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        connection.executescript(schema)
        _check(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection) -> None:
    (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if said != "ok":
        raise sqlite3.DatabaseError(f"malformed: {said}")


def _put_aside(path: Path) -> Path:
    """Rename the file and its log; older damaged ones go."""
    aside = path.with_name(f"{path.name}.damaged-{int(time.time())}")
    for ending in ("", "-wal", "-shm"):
        part = path.with_name(path.name + ending)
        if part.exists():
            part.replace(aside.with_name(aside.name + ending))
    files = sorted(path.parent.glob(f"{path.name}.damaged-*"))
    known = sorted({each.name.partition("-wal")[0].partition("-shm")[0] for each in files})
    for each in files:
        if not any(each.name.startswith(name) for name in known[-_KEPT:]):
            each.unlink()
    return aside
