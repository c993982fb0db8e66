"""A damaged file makes room for a new one; a disk that refuses, and a statement that is wrong, do not."""

import sqlite3
from pathlib import Path

import pytest

from modules.common import sqlitefile

SCHEMA = "CREATE TABLE IF NOT EXISTS facts (number INTEGER PRIMARY KEY) STRICT;"


def test_what_was_kept_is_there_again(tmp_path: Path) -> None:
    for number in range(2):
        connection, said = sqlitefile.opened(tmp_path / "facts.db", SCHEMA, pragmas=["synchronous=FULL"], what="facts")
        assert said == ""
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("SELECT count(*) FROM facts").fetchone() == (number,)
        connection.execute("INSERT INTO facts VALUES (?)", (number,))
        connection.close()


def test_a_damaged_file_is_set_aside_whole_and_said(tmp_path: Path) -> None:
    path = tmp_path / "facts.db"
    path.write_bytes(b"no database" * 500)
    connection, said = sqlitefile.opened(path, SCHEMA, what="facts")
    connection.close()
    (aside,) = (each for each in tmp_path.glob("facts.db.damaged-*"))
    assert aside.read_bytes() == b"no database" * 500
    assert aside.name in said and "facts" in said


def test_what_cannot_be_opened_is_no_damage(tmp_path: Path) -> None:
    (tmp_path / "facts.db").mkdir()
    with pytest.raises(sqlite3.OperationalError):
        sqlitefile.opened(tmp_path / "facts.db", SCHEMA, what="facts")
    with pytest.raises(sqlite3.OperationalError):
        sqlitefile.opened(tmp_path / "other.db", "CREATE NONSENSE", what="facts")
    assert not list(tmp_path.glob("*.damaged-*"))
