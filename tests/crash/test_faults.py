"""Every write, sync, read and truncate of the disk fails once, for each n-th one: nothing acknowledged is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from modules.cache.record import Record
from modules.cache.sealing import Sealer
from modules.cache.store import (
    LEAST_BOUND,
    Append,
    Appended,
    Confirm,
    Hand,
    Limits,
    Store,
    StoreDamagedError,
    StoreError,
)

KEYS = {1: b"k" * 32}
MOST = 400
ERRORS = {
    "read": apsw.IOError,
    "write": apsw.FullError,
    "sync": apsw.IOError,
    "truncate": apsw.IOError,
}


class Fault:
    """Fails the n-th operation of one kind, then `more` further ones."""

    def __init__(self, kind: str, n: int, more: int = 0) -> None:
        self.kind, self.left, self.more = kind, n, more
        self.struck = False

    def __call__(self, kind: str, _path: str) -> None:
        if kind != self.kind:
            return
        self.left -= 1
        if self.left <= 0 and self.more >= 0:
            self.more -= 1
            self.struck = True
            raise ERRORS[kind]


def record(n: int) -> Record:
    return Record(
        message_id=f"id {n}", priority=n % 3, kind="k", source="s", source_seq=n, payload=bytes([n]) * (700 * (n % 5))
    )


def open_on(disk: Any, folder: Path) -> Store:
    return Store.open(folder, Sealer(KEYS), limits=Limits(bound=LEAST_BOUND), vfs=disk.name)


def opened(disk: Any, folder: Path) -> Store:
    """Open, trying again when the disk fails, as the module does."""
    for _ in range(6):
        try:
            return open_on(disk, folder)
        except StoreDamagedError:
            raise
        except StoreError:
            continue
    raise AssertionError("it never opens")


def work(store: Store, acknowledged: list[int], confirmed: set[int]) -> None:
    """A short life; whatever fails is tried once more, as the module does."""
    for n in range(1, 13):
        for _ in range(3):
            (result,) = store.apply([Append([record(n)])])
            if isinstance(result, Appended):
                acknowledged.append(n)
                break
        if n % 4 == 0:
            try:
                found = store.peek(1, store.flight(1).confirmed, most=1, most_bytes=1 << 20)
            except StoreDamagedError:
                raise
            except StoreError:
                continue
            for stored in found:
                (result,) = store.apply([Hand(1, stored.seq, 0)])
                (result,) = store.apply([Confirm(1, stored.seq)])
                if result is None:
                    confirmed.add(int(stored.message_id.removeprefix("id ")))
        try:
            store.upkeep()
        except StoreDamagedError:
            raise
        except StoreError:
            continue


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of the last checkpoint at a close
@pytest.mark.parametrize("more", [0, 3])
@pytest.mark.parametrize("kind", ["write", "sync", "truncate", "read"])
def test_the_nth_fails_for_every_n(kind: str, more: int, new_disk: Callable[..., Any], folder: Path) -> None:
    struck = 0
    for n in range(1, MOST):
        disk = new_disk()
        disk.fail = fault = Fault(kind, n, more)
        store = opened(disk, folder)
        acknowledged: list[int] = []
        confirmed: set[int] = set()
        try:
            work(store, acknowledged, confirmed)
        except StoreDamagedError as error:
            raise AssertionError("a disk that fails is not a damaged file") from error
        disk.fail = lambda _kind, _path: None
        store.abandon()
        again = open_on(disk, folder)
        kept = {entry.message_id for priority in (0, 1, 2) for entry in again.inspect(priority, most=100)}
        assert {f"id {number}" for number in set(acknowledged) - confirmed} <= kept
        assert not {f"id {number}" for number in confirmed} & kept
        assert again.check_file() == []
        (result,) = again.apply([Append([record(99)])])
        assert result == Appended(1)
        again.abandon()
        struck += fault.struck
        if not fault.struck:
            break
    assert struck >= (1 if kind == "truncate" else 3), "no operation of this kind ever failed"


def test_a_disk_that_stays_full_refuses_and_recovers(new_disk: Callable[..., Any], folder: Path) -> None:
    disk = new_disk()
    store = open_on(disk, folder)
    acknowledged: list[int] = []
    work(store, acknowledged, set())
    disk.fail = Fault("write", 1, 10_000)
    (result,) = store.apply([Append([record(50)])])
    assert isinstance(result, StoreError)
    disk.fail = lambda _kind, _path: None
    assert store.apply([Append([record(50)])]) == [Appended(1)]
    store.abandon()
