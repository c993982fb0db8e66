"""What is kept: over a kill, bounded, and set aside when damaged."""

import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from modules.alarms import store as stores
from modules.alarms.condition import Alarm, Condition, Key
from modules.alarms.store import Batch, Queued, Store
from tests.modules.alarms.conftest import notice

KEY = Key("vibration", "press4", "level")


def condition() -> Condition:
    alarms = {"r": Alarm(live=True, sounds=True, begun=5.0, heard=True)}
    return Condition(KEY, "a1", "critical", "text", "", 4.0, item=False, alarms=alarms)


def test_what_was_kept_is_there_again(tmp_path: Path) -> None:
    store = Store(tmp_path / "alarms.db")
    notices = [Queued(0, "mail", 7.0, notice(1)), Queued(0, "hook", 8.0, notice(2))]
    first, second = store.write(Batch({"a1": KEY}, {KEY: condition().encode()}, notices))
    store.write(Batch(spent=[first.number]))
    again = Store(tmp_path / "alarms.db")  # the first was never closed: as after a kill
    assert again.taken("a1") == KEY
    assert again.taken("a2") is None
    assert again.conditions() == [condition()]
    assert again.waiting() == [second]
    again.write(Batch(conditions={KEY: None}))
    assert again.conditions() == []
    again.close()
    store.close()


def test_what_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "alarms.db")
    unfit: Any = object()
    with pytest.raises(sqlite3.Error):
        store.write(Batch({"a1": KEY}, {KEY: unfit}))
    assert store.taken("a1") is None
    store.write(Batch({"a2": KEY}))
    store.close()


def test_ids_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "TAKEN_KEPT", 50)
    store = Store(tmp_path / "alarms.db")
    store.write(Batch({f"a{number}": KEY for number in range(stores._PRUNE_EVERY)}))
    kept = [number for number in range(stores._PRUNE_EVERY) if store.taken(f"a{number}")]
    assert kept == list(range(stores._PRUNE_EVERY - 50, stores._PRUNE_EVERY))
    store.close()


def test_who_reads_does_not_wait_for_who_writes(tmp_path: Path) -> None:
    store = Store(tmp_path / "alarms.db")
    store.write(Batch({"a1": KEY}))
    begun, go_on = threading.Event(), threading.Event()

    class Slow(dict[str, Key]):
        def items(self) -> Any:
            begun.set()
            assert go_on.wait(20)
            return super().items()

    writing = threading.Thread(target=store.write, args=(Batch(Slow({"a2": KEY}), {KEY: None}),))
    writing.start()
    assert begun.wait(20)  # the transaction is open
    assert (store.taken("a1"), store.taken("a2")) == (KEY, None)
    go_on.set()
    writing.join()
    assert store.taken("a2") == KEY
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
