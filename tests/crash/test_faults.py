"""The n-th write, sync, read, truncation, opening or deletion fails, for every n, in each operation.

Nothing acknowledged is lost, nothing half done is seen, no error comes out but the store's own, and once the disk does
as it is told again everything works.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from modules.cache.record import Record
from modules.cache.sealing import Sealer
from modules.cache.store import (
    LEAST_BOUND,
    Append,
    Appended,
    Batch,
    Clock,
    Confirm,
    Erase,
    Hand,
    Job,
    Limits,
    Range,
    Rewind,
    Store,
    StoreDamagedError,
    StoreError,
)
from modules.cache.store.erase import DONE
from tests.crash.disk import Disk
from tests.crash.life import Contents

KEYS = {1: b"k" * 32}
KEPT_MS = 1000
TRIES = 8
FAULTS = [
    ("read", apsw.IOError),
    ("write", apsw.FullError),
    ("write", apsw.IOError),
    ("sync", apsw.IOError),
    ("truncate", apsw.IOError),
    ("open", apsw.CantOpenError),
    ("delete", apsw.IOError),
]
Operation = Callable[[Store], None]


class Fault:
    """Fails the n-th operation of one kind, then `more` further ones."""

    def __init__(self, kind: str, error: type[Exception], n: int, more: int) -> None:
        self.kind, self.error, self.left, self.more = kind, error, n, more
        self.struck = False

    def __call__(self, kind: str, _path: str) -> None:
        if kind != self.kind:
            return
        self.left -= 1
        if self.left <= 0 and self.more >= 0:
            self.more -= 1
            self.struck = True
            raise self.error


class Scene:
    """A store with some of everything in it, as it lies on a disk; `now` is its clock."""

    def __init__(self, folder: Path, size: int, n: int) -> None:
        self.folder, self.size, self.now = folder, size, 0
        disk = Disk()
        store = self.open(disk)
        for number in range(n):
            if store.stats().free_bytes < 2 * size:
                break
            assert store.apply([Append([self.record(number)])]) == [Appended(1)]
        for priority in (1, 2):
            first, second, *_ = store.peek(priority, 0, most=10, most_bytes=1 << 24)
            assert store.apply([Hand(priority, second.seq, 0), Confirm(priority, first.seq)]) == [None, None]
        store.close()
        self.files = {path: bytes(image) for path, image in disk.files.items()}
        disk.unregister()

    def open(self, disk: Disk) -> Store:
        clock = Clock(wall=lambda: 1_700_000_000_000, monotonic=lambda: self.now)
        limits = Limits(bound=LEAST_BOUND, retention_ms=(0, KEPT_MS, KEPT_MS))
        return Store.open(self.folder, Sealer(KEYS), limits=limits, clock=clock, vfs=disk.name)

    def record(self, number: int) -> Record:
        return Record(
            message_id=f"id {number}",
            priority=number % 3,
            kind="k",
            source=f"press{number % 4}",
            source_seq=number,
            payload=bytes([number % 256]) * self.size,
        )

    def again(self) -> Disk:
        """The disk as it was."""
        self.now = 0
        return Disk({path: bytearray(image) for path, image in self.files.items()})


def until_done(store: Store, *jobs: Job) -> None:
    """Do them, trying again as the module does."""
    for _ in range(TRIES):
        if not any(isinstance(result, StoreError) for result in store.apply(jobs)):
            return
    raise AssertionError("it never works again")


def trying(work: Callable[[], object]) -> object:
    """Do something that is no job, trying again as the module does."""
    for _ in range(TRIES):
        try:
            return work()
        except StoreDamagedError as error:
            raise AssertionError("a disk that fails is not a damaged file") from error
        except StoreError:
            continue
    raise AssertionError("it never works again")


def idle(store: Store) -> None:
    """Upkeep until nothing is left to do."""
    while trying(store.upkeep):
        pass


def operations(scene: Scene) -> dict[str, Operation]:
    """What can be done to the scene's store, and done once more where it is not known whether it was done."""

    def expire(store: Store) -> None:
        scene.now += KEPT_MS
        idle(store)

    def erase(store: Store) -> None:
        until_done(store, Erase(range=Range("press1"), who="operator"))
        while trying(store.erasures)[0].done != DONE:  # type: ignore[index]
            trying(store.upkeep)

    def vacuum(store: Store) -> None:
        for priority in (1, 2):
            until_done(store, Hand(priority, 100, 0), Confirm(priority, 100))
        expire(store)

    return {
        "append": lambda store: until_done(store, Append([scene.record(1000)])),
        "append many": lambda store: until_done(store, Append([scene.record(1000 + n) for n in range(8)])),
        "commit": lambda store: until_done(
            store,
            Append([scene.record(1000)]),
            Rewind(1),
            Append([scene.record(1003)]),  # of one priority
        ),
        "hand": lambda store: until_done(store, Hand(0, 4, 0)),
        "confirm": lambda store: until_done(store, Confirm(2, 6)),
        "rewind": lambda store: until_done(store, Rewind(1)),
        "batch": lambda store: until_done(store, Batch(1, 11, 17)),
        "expire": expire,
        "erase": erase,
        "rekey": lambda store: trying(lambda: store.rekey(KEYS | {2: b"2" * 32}, "copy")) and None,
        "vacuum": vacuum,
        "close": lambda store: store.close(),
        "open": lambda _store: None,
    }


NAMES = list(operations(None))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def small() -> Scene:
    return Scene(Path("/disk"), 700, 60)


@pytest.fixture(scope="module")
def full() -> Scene:
    """Its bound is reached: what comes in displaces what is there."""
    return Scene(Path("/disk"), 120_000, 100)


def strike(scene: Scene, name: str, fault: Fault) -> tuple[Contents, bool]:
    """Do an operation on a disk that fails; what the store then holds, reopened."""
    disk = scene.again()
    disk.fail = fault
    store: Store | None = None
    for _ in range(TRIES):
        try:
            store = scene.open(disk)
        except StoreDamagedError as error:
            raise AssertionError("a disk that fails is not a damaged file") from error
        except StoreError:
            continue
        break
    assert store is not None, "it never opens"
    try:
        operations(scene)[name](store)
    except StoreError:
        assert name == "close", "only closing gives up"
    disk.fail = lambda _kind, _path: None
    store.abandon()
    store = scene.open(disk)
    found = Contents.of(store)
    assert store.check_file() == []
    assert store.apply([Append([scene.record(3000)])]) == [Appended(1)], "it does not work again"
    store.abandon()
    assert sum(map(len, disk.files.values())) <= LEAST_BOUND
    disk.unregister()
    return found, fault.struck


def check_all(scene: Scene, name: str, more: int, stride: int) -> int:
    """Every n-th (or so) operation of each kind fails; how many did."""
    harmless, struck = strike(scene, name, Fault("nothing", apsw.IOError, 1, 0))
    assert not struck
    total = 0
    for kind, error in FAULTS:
        n = 1
        while True:
            found, struck = strike(scene, name, Fault(kind, error, n, more))
            if not struck:
                break
            assert found == harmless, f"{name}: {kind} number {n} failed"
            total += 1
            n += stride
    return total


pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"  # of the last checkpoint at a close
)


@pytest.mark.parametrize("name", NAMES)
def test_the_nth_fails_for_every_n(name: str, small: Scene) -> None:
    assert check_all(small, name, 0, 1) > 3


@pytest.mark.parametrize("name", ["append", "append many", "vacuum"])
def test_some_fail_in_a_full_store(name: str, full: Scene) -> None:
    assert check_all(full, name, 0, 23)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("more", [0, 3])
@pytest.mark.parametrize("name", NAMES)
def test_the_nth_fails_for_every_n_at_length(name: str, more: int, small: Scene, full: Scene) -> None:
    assert check_all(small, name, more, 1)
    assert check_all(full, name, more, 7)


def test_a_disk_that_is_full_for_a_while_costs_nobody_his_place(full: Scene) -> None:
    harmless, _ = strike(full, "append", Fault("nothing", apsw.IOError, 1, 0))
    found, struck = strike(full, "append", Fault("write", apsw.FullError, 1, 3))
    assert struck
    assert found == harmless


def test_what_follows_a_failed_append_does_not_overtake_it(small: Scene) -> None:
    disk = small.again()
    store = small.open(disk)
    jobs = [Append([small.record(number)]) for number in (1000, 1001, 1003)]  # of priorities 1, 2 and 1
    disk.fail = Fault("sync", apsw.IOError, 1, 1)  # once for all together, once for the first alone
    first, second, third = store.apply(jobs)
    assert isinstance(first, StoreError)
    assert second == Appended(1)
    assert third is first
    assert store.apply(jobs) == [Appended(1), Appended(0, 1), Appended(1)]
    assert [entry.message_id for entry in store.inspect(1, most=1000)][-2:] == ["id 1000", "id 1003"]
    store.abandon()
    disk.unregister()


def test_a_disk_that_stays_full_refuses_and_recovers(small: Scene) -> None:
    disk = small.again()
    store = small.open(disk)
    disk.fail = Fault("write", apsw.FullError, 1, 10_000)
    (result,) = store.apply([Append([small.record(1000)])])
    assert isinstance(result, StoreError)
    disk.fail = lambda _kind, _path: None
    assert store.apply([Append([small.record(1000)])]) == [Appended(1)]
    store.abandon()
    disk.unregister()
