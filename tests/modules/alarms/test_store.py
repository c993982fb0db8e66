"""What is kept: over a kill, bounded, and set aside when damaged."""

import sqlite3
from pathlib import Path

import pytest

from modules.alarms import store as stores
from modules.alarms.condition import Alarm, Condition, Key
from modules.alarms.store import Store
from tests.modules.alarms.conftest import notice

KEY = Key("vibration", "press4", "level")


def condition() -> Condition:
    alarms = {"r": Alarm(live=True, sounds=True, begun=5.0, heard=True)}
    return Condition(KEY, "a1", "critical", "text", "", 4.0, item=False, alarms=alarms)


def test_what_was_kept_is_there_again(tmp_path: Path) -> None:
    store = Store(tmp_path / "alarms.db")
    with store.durable():
        store.take("a1", KEY)
        store.keep(KEY, condition())
        first, second = store.queue("mail", notice(1), 7.0), store.queue("hook", notice(2), 8.0)
    with store.durable():
        store.drop([first.number])
    again = Store(tmp_path / "alarms.db")  # the first was never closed: as after a kill
    assert again.taken("a1") == KEY
    assert again.taken("a2") is None
    assert again.conditions() == [condition()]
    assert again.waiting() == [second]
    with again.durable():
        again.keep(KEY, None)
    assert again.conditions() == []
    again.close()
    store.close()


def test_what_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "alarms.db")

    def fail() -> None:
        with store.durable():
            store.take("a1", KEY)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert store.taken("a1") is None
    store.close()


def test_ids_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "TAKEN_KEPT", 50)
    store = Store(tmp_path / "alarms.db")
    with store.durable():
        for number in range(stores._PRUNE_EVERY):
            store.take(f"a{number}", KEY)
    kept = [number for number in range(stores._PRUNE_EVERY) if store.taken(f"a{number}")]
    assert kept == list(range(stores._PRUNE_EVERY - 50, stores._PRUNE_EVERY))
    store.close()


def test_a_damaged_file_is_set_aside_and_told(tmp_path: Path) -> None:
    path = tmp_path / "alarms.db"
    path.write_bytes(b"not a database at all, but long enough to look at" * 100)
    store = Store(path)
    assert "set aside" in store.set_aside
    assert len(list(tmp_path.glob("alarms.db.damaged-*"))) == 1
    store.close()


def test_a_disk_that_refuses_sets_nothing_aside(tmp_path: Path) -> None:
    (tmp_path / "alarms.db").mkdir()
    with pytest.raises(sqlite3.OperationalError):
        Store(tmp_path / "alarms.db")
