"""One file: what is in it after a batch, a crash, and a clean-up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localhub.hub.message import NEVER, QueuedMessage, pack
from localhub.hub.store import VACUUM_FROM, VACUUM_PAGES, WAL_LIMIT, Batch, Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "hub.db")
    yield made
    made.close()


def message(number: int, body: bytes = b"body") -> QueuedMessage:
    return QueuedMessage(number, body, {"k": "v"}, {"connectionDeviceId": "gw1"}, 1000.0 + number, "gw1")


def put(batch: Batch, number: int, *queues: int, body: bytes = b"body", expiry: float = NEVER) -> None:
    made = message(number, body)
    batch.messages.append((number, made.body, pack(made)))
    batch.entries += [(queue, number, expiry, made.size()) for queue in queues]


def ids(store: Store, queue: int, after: int = 0, now: float = 0.0, limit: int = 100, size: int = 1 << 20) -> list[int]:
    return [entry.message.id for entry in store.fetch(queue, after, now, limit, size)]


def test_a_message_is_in_every_queue_it_was_put_into(store: Store) -> None:
    batch = Batch(queues=[(1, "gw1/a/in", 0), (2, "iothub", 1)])
    put(batch, 1, 1, 2)
    put(batch, 2, 2)
    store.apply(batch)
    assert (ids(store, 1), ids(store, 2)) == ([1], [1, 2])
    (entry,) = store.fetch(1, 0, 0.0, 10, 1)
    assert entry.message == message(1)
    recovered = store.recover()
    assert [(queue.endpoint, queue.priority, queue.depth) for queue in recovered.queues] == [
        ("gw1/a/in", 0, 1),
        ("iothub", 1, 2),
    ]
    assert recovered.shared == {1: 2}
    assert recovered.next_id == 3


def test_fetch_is_bounded_in_number_and_bytes_but_gives_one(store: Store) -> None:
    batch = Batch(queues=[(1, "e", 0)])
    for number in range(1, 11):
        put(batch, number, 1, body=bytes(1000))
    store.apply(batch)
    assert ids(store, 1, limit=3) == [1, 2, 3]
    assert ids(store, 1, after=3, limit=3) == [4, 5, 6]
    assert ids(store, 1, size=2500) == [1, 2, 3]
    assert ids(store, 1, size=1) == [1]


def test_expired_entries_are_removed_save_those_on_their_way(store: Store) -> None:
    batch = Batch(queues=[(1, "e", 0)])
    for number, expiry in ((1, 10.0), (2, 10.0), (3, 20.0), (4, NEVER)):
        put(batch, number, 1, expiry=expiry)
    store.apply(batch)
    assert ids(store, 1, now=10.0) == [3, 4]
    gone = store.apply(Batch(expire=(10.0, (2,))))
    assert [(queue, number) for queue, number, _ in gone] == [(1, 1)]
    assert ids(store, 1) == [2, 3, 4]


def test_a_batch_that_fails_leaves_nothing_behind(store: Store) -> None:
    batch = Batch(queues=[(1, "e", 0)])
    put(batch, 1, 1)
    store.apply(batch)
    second = Batch(sessions={"gw1/a": {"f": 1}})
    put(second, 2, 1)
    put(second, 1, 1)  # the id is taken
    with pytest.raises(apsw.ConstraintError):
        store.apply(second)
    assert ids(store, 1) == [1]
    assert store.recover().sessions == {}


def test_what_no_queue_refers_to_is_removed_at_the_next_start(store: Store) -> None:
    batch = Batch(queues=[(1, "e", 0)])
    put(batch, 1, 1)
    put(batch, 2)
    store.apply(batch)
    assert store.recover().next_id == 2


def test_sessions_and_facts(store: Store) -> None:
    store.apply(Batch(sessions={"gw1/a": {"f/#": 1}, "gw1/b": {}}, facts={"twin": b"1"}))
    store.apply(Batch(sessions={"gw1/b": None}, facts={"twin": b"2", "other": b""}))
    assert store.recover().sessions == {"gw1/a": {"f/#": 1}}
    assert (store.fact("twin"), store.fact("other"), store.fact("none")) == (b"2", b"", None)


def test_the_oldest_of_a_queue(store: Store) -> None:
    assert store.oldest(1) is None
    batch = Batch(queues=[(1, "e", 0)])
    put(batch, 5, 1)
    put(batch, 7, 1)
    store.apply(batch)
    oldest = store.oldest(1)
    assert oldest is not None
    assert oldest.enqueued == 1005.0


def test_disk_space_is_given_back(store: Store, tmp_path: Path) -> None:
    batch = Batch(queues=[(1, "e", 0)])
    for number in range(1, 101):
        put(batch, number, 1, body=bytes(200_000))
    store.apply(batch)
    removed = [(1, number) for number in range(1, 101)]
    store.apply(Batch(removed=removed, dead=[(number,) for number in range(1, 101)]))
    path = tmp_path / "hub.db"
    assert path.stat().st_size < 1_000_000  # all of it is in the log
    rounds = 0
    while store.untidy:
        store.tidy()
        rounds += 1
    assert rounds > 10
    assert path.stat().st_size <= (VACUUM_FROM + VACUUM_PAGES) * 4096
    assert (tmp_path / "hub.db-wal").stat().st_size <= WAL_LIMIT


def test_the_log_is_folded_into_the_file(store: Store, tmp_path: Path) -> None:
    batch = Batch(queues=[(1, "e", 0)])
    for number in range(1, 30):
        put(batch, number, 1, body=bytes(200_000))
    store.apply(batch)
    store.tidy()
    assert (tmp_path / "hub.db").stat().st_size > 5_000_000


@given(counts=st.lists(st.integers(0, 200), min_size=1, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=15)
def test_batches_of_any_size_go_in_and_out(tmp_path_factory: pytest.TempPathFactory, counts: list[int]) -> None:
    store = Store(tmp_path_factory.mktemp("store") / "hub.db")
    number = 0
    store.apply(Batch(queues=[(1, "e", 0)]))
    for count in counts:
        batch = Batch()
        for _ in range(count):
            number += 1
            put(batch, number, 1)
        store.apply(batch)
    assert ids(store, 1, limit=10_000) == list(range(1, number + 1))
    removed = list(range(1, number + 1, 2))
    store.apply(Batch(removed=[(1, one) for one in removed], dead=[(one,) for one in removed]))
    assert ids(store, 1, limit=10_000) == list(range(2, number + 1, 2))
    store.close()
