import uuid
from collections.abc import Callable
from pathlib import Path

from modules.cache.record import Record
from modules.cache.store import LEAST_BOUND, Append, Appended, Confirm, Limits, Store
from tests.modules.cache.store.test_ids import accept
from tests.modules.cache.store.test_store import ids, store_of

Make = Callable[..., Record]
Open = Callable[..., Store]


def test_a_smaller_bound_evicts_but_never_alerts(open_store: Open, make_record: Make, tmp_path: Path) -> None:
    store = open_store(Limits(bound=4 * LEAST_BOUND))
    for priority in (0, 2) * 16:
        store.apply([Append([make_record(priority, b"x" * 200_000)])])
    alerts = ids(store, 0)
    assert store.resize(2 * LEAST_BOUND)
    assert store_of(tmp_path) <= 2 * LEAST_BOUND
    assert ids(store, 0) == alerts
    assert not store.resize(LEAST_BOUND)
    assert ids(store, 0) == alerts


def test_a_bound_that_would_cost_alerts_costs_nothing_else(open_store: Open, make_record: Make) -> None:
    store = open_store(Limits(bound=2 * LEAST_BOUND))
    for priority in (0, 0, 2) * 8:
        store.apply([Append([make_record(priority, b"x" * 200_000)])])
    before = [ids(store, priority) for priority in (0, 2)]
    assert not store.resize(LEAST_BOUND)
    assert [ids(store, priority) for priority in (0, 2)] == before
    assert not store.stats().dropped
    store.apply([Append([make_record(2, b"x" * 200_000)])])
    assert len(ids(store, 2)) == len(before[1]) + 1, "the bound is the one it was"


def test_a_smaller_bound_costs_ids_before_it_costs_records(open_store: Open, make_record: Make, tmp_path: Path) -> None:
    store = open_store(Limits(bound=16 * LEAST_BOUND))
    accept(store, make_record, 150_000)
    waiting = [make_record(2, b"x" * 200_000, str(uuid.uuid4())) for _ in range(5)]
    store.apply([Append(waiting)])
    assert store_of(tmp_path) > LEAST_BOUND
    assert store.resize(LEAST_BOUND)
    assert store_of(tmp_path) <= LEAST_BOUND
    assert ids(store, 2) == [record.message_id for record in waiting]
    assert not store.stats().dropped


def test_a_store_opened_with_a_smaller_bound_drops_ids_before_records(open_store: Open, make_record: Make) -> None:
    store = open_store(Limits(bound=16 * LEAST_BOUND))
    accept(store, make_record, 150_000)
    waiting = [make_record(2, b"x" * 200_000, str(uuid.uuid4())) for _ in range(5)]
    store.apply([Append(waiting)])
    store.close()
    store = open_store(Limits(bound=LEAST_BOUND))
    assert store.apply([Append([make_record(0, b"x" * 1000)])]) == [Appended(1)]
    assert ids(store, 2) == [record.message_id for record in waiting]
    assert not store.stats().dropped


def test_a_refused_alert_leaves_what_is_quarantined_countable(open_store: Open, make_record: Make) -> None:
    """What an alert that finds no room would have displaced stays, and may go for a smaller one."""
    store = open_store()
    store.apply([Append([make_record(0, b"x" * 100_000)])])
    damaged = store._state.connection
    damaged.execute("UPDATE record0 SET body = zeroblob(length(body))")
    assert store.peek(0, 0, most=1, most_bytes=1) == []
    while store.stats().free_bytes > 150_000:
        store.apply([Append([make_record(0, b"x" * 30_000)])])
    for _ in range(3):
        store.apply([Append([make_record(0, b"x" * 320_000)])])
    assert store.stats().quarantined == 1
    free = store.stats().free_bytes
    (stored,) = store.apply([Append([make_record(0, b"x" * (free + 20_000))])])
    assert getattr(stored, "stored", stored) == 1
    assert store.stats().quarantined == 0
    store.apply([Confirm(0, store.inspect(0)[-1].seq)])
