"""What is erased is in no file of the store, stays known and on record, and harms nothing around it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modules.cache.record import PRIORITIES, Record, each
from modules.cache.store import (
    LEAST_BOUND,
    Append,
    Appended,
    Confirm,
    Erase,
    Erasure,
    Hand,
    Limits,
    Range,
    Store,
    StoreDamagedError,
)
from modules.cache.store.erase import DONE
from modules.cache.store.house import House

Make = Callable[..., Record]
Open = Callable[..., Store]
KEEP = Limits(bound=LEAST_BOUND, retention_ms=(10**9, 10**9, 10**9))
BADGE = Erase(range=Range("gate/badge*"), who="Ada", why="request 17")
_BODIES = each("SELECT id, body FROM {table}")


def sealed(store: Store) -> dict[str, bytes]:
    """The sealed bodies by id."""
    rows = (row for statement in _BODIES for row in store._state.connection.execute(statement))
    return {str(message_id): bytes(body) for message_id, body in rows}


def traces(folder: Path, body: bytes, *, step: int = 1500) -> int:
    """How many of the 16-byte pieces looked for, some on every page, lie about in the files of a folder."""
    files = b"".join(item.read_bytes() for item in folder.rglob("*") if item.is_file() and item.name != "ballast")
    pieces = [body[start : start + 16] for start in range(0, len(body) - 15, max(16, min(len(body) // 4, step)))]
    return sum(1 for piece in pieces if piece in files)


def fill(store: Store, make_record: Make) -> tuple[list[Record], list[Record]]:
    """Records of persons and of machines among each other, large and small, stored, handed and kept."""
    persons: list[Record] = []
    machines: list[Record] = []
    for number in range(16):
        for priority in PRIORITIES:
            size = (40, 900, 9000, 30_000)[number % 4]
            persons.append(make_record(priority, b"p" * size, source=f"gate/badge{number}"))
            machines.append(make_record(priority, b"m" * size))
            store.apply([Append([persons[-1], machines[-1]])])
    for priority in PRIORITIES:
        records = [entry.seq for entry in store.inspect(priority, most=100)]
        store.apply([Hand(priority, records[19], 0)])
        store.apply([Confirm(priority, records[9])])
    return persons, machines


def test_nothing_of_it_is_left_in_any_file(open_store: Open, make_record: Make, tmp_path: Path) -> None:
    store = open_store(KEEP)
    persons, machines = fill(store, make_record)
    bodies = sealed(store)
    assert all(traces(tmp_path, bodies[record.message_id]) for record in persons), "the test looks in vain"
    done = store.erase(BADGE)
    assert (done.stored_n, done.handed_n, done.kept_n, done.done) == (18, 15, 15, DONE)
    assert done.bytes == sum(len(bodies[record.message_id]) for record in persons)
    assert [record.message_id for record in persons if traces(tmp_path, bodies[record.message_id])] == []
    assert all(traces(tmp_path, bodies[record.message_id]) for record in machines)
    assert store.check_file() == []
    store.close()
    assert [record.message_id for record in persons if traces(tmp_path, bodies[record.message_id])] == []


def test_what_was_delivered_and_deleted_before_is_overwritten_too(
    open_store: Open, make_record: Make, tmp_path: Path
) -> None:
    store = open_store()
    record = make_record(1, b"p" * 50_000, source="gate/badge1")
    store.apply([Append([make_record(1, b"m" * 50_000), record, make_record(1, b"m" * 50_000)])])
    body = sealed(store)[record.message_id]
    store.apply([Hand(1, 3, 0), Confirm(1, 3)])
    assert store.inspect(1) == []
    assert traces(tmp_path, body), "the test looks in vain"
    assert store.erase(BADGE).stored_n == 0
    assert not traces(tmp_path, body)


def test_pages_that_are_used_again_at_once_hold_nothing_of_it(
    open_store: Open, make_record: Make, tmp_path: Path
) -> None:
    """What comes in while an erasure is at work takes pages that it freed, and need not fill them."""
    store = open_store()
    persons = [make_record(1, b"p" * 30_000, source="gate/badge1") for _ in range(4)]
    store.apply([Append(persons)])
    bodies = sealed(store)
    store.apply([BADGE])
    store.upkeep()
    for _ in range(12):
        store.apply([Append([make_record(1, b"m" * 4100)])])
    while store.upkeep():
        pass
    assert store.erasures()[0].stored_n == 4
    assert [record.message_id for record in persons if traces(tmp_path, bodies[record.message_id], step=16)] == []


def test_order_watermarks_and_counts_hold(open_store: Open, make_record: Make) -> None:
    store = open_store(KEEP)
    _, machines = fill(store, make_record)
    before = store.stats()
    flights = [store.flight(priority) for priority in PRIORITIES]
    store.erase(BADGE)
    for again in range(2):
        stats = store.stats()
        for priority, flight in enumerate(flights):
            mine = [record for record in machines if record.priority == priority]
            entries = store.inspect(priority, most=100)
            assert [entry.message_id for entry in entries] == [record.message_id for record in mine]
            assert [entry.state for entry in entries] == ["confirmed"] * 5 + ["handed"] * 5 + ["stored"] * 6
            assert (stats.priorities[priority].depth, stats.priorities[priority].kept) == (11, 5)
            assert stats.priorities[priority].accepted == before.priorities[priority].accepted
            now = store.flight(priority)
            assert (now.confirmed, now.handed) == (flight.confirmed, flight.handed)
            waiting = store.peek(priority, now.confirmed, most=99, most_bytes=1 << 24)
            assert [record.payload for record in waiting] == [record.payload for record in mine[5:]]
        dropped = {(drop.priority, drop.reason): drop.n for drop in stats.dropped}
        assert dropped == {(priority, "erased"): 11 for priority in PRIORITIES}
        if not again:
            store.abandon()
            store = open_store(KEEP)


def test_the_same_message_once_more_does_not_come_back(open_store: Open, make_record: Make) -> None:
    store = open_store()
    record = make_record(source="gate/badge1")
    store.apply([Append([record])])
    store.erase(BADGE)
    assert store.apply([Append([record])]) == [Appended(0, 1)]
    later = make_record(source="gate/badge1")
    assert store.apply([Append([later])]) == [Appended(1)], "what comes after the order is not meant"


def test_only_the_range_that_was_asked_for(open_store: Open, make_record: Make, hands: Any) -> None:
    store = open_store(clock=hands.clock())
    records = []
    for _ in range(5):
        records.append(make_record(source="gate/badge1"))
        store.apply([Append([records[-1]])])
        hands.advance(60)
    start = 1_767_323_045_000
    done = store.erase(Erase(range=Range("gate/*", start + 60_000, start + 120_000), who="Ada"))
    assert done.stored_n == 2
    left = [entry.message_id for entry in store.inspect(1)]
    assert left == [records[0].message_id, records[3].message_id, records[4].message_id]


def test_the_record_of_it_is_durable_and_authenticated(open_store: Open, make_record: Make, hands: Any) -> None:
    store = open_store(clock=hands.clock())
    store.apply([Append([make_record(source="gate/badge1")])])
    store.erase(BADGE)
    expected = Erasure(
        number=1,
        source="gate/badge*",
        since=0,
        until=1 << 62,
        who="Ada",
        why="request 17",
        at=hands.wall,
        seq=1,
        stored_n=1,
        bytes=36,
        done=DONE,
    )
    assert store.erasures() == [expected]
    assert store.stats().erasures == (expected,)
    store.abandon()
    store = open_store()
    assert store.erasures() == [expected]
    store._state.connection.execute("UPDATE erased SET who='nobody'")
    assert store.erasures() == []


def test_an_order_is_carried_out_over_a_restart(open_store: Open, make_record: Make, tmp_path: Path) -> None:
    store = open_store(KEEP)
    persons, _ = fill(store, make_record)
    bodies = sealed(store)
    (order,) = store.apply([BADGE])
    assert isinstance(order, Erasure)
    for _ in range(2):
        store.upkeep()
    (begun,) = store.erasures()
    assert begun.done != DONE
    assert begun.stored_n + begun.handed_n + begun.kept_n < 48, "it was done at once, so the test tests nothing"
    store.abandon()
    store = open_store(KEEP)
    while store.upkeep():
        pass
    (done,) = store.erasures()
    assert (done.stored_n, done.handed_n, done.kept_n, done.done) == (18, 15, 15, DONE)
    assert [record.message_id for record in persons if traces(tmp_path, bodies[record.message_id])] == []


def test_orders_are_carried_out_one_after_another(open_store: Open, make_record: Make) -> None:
    store = open_store()
    store.apply([Append([make_record(source=source)]) for source in ("a", "b", "c")])
    store.apply([Erase(range=Range("a"), who="Ada"), Erase(range=Range("c"), who="Ben")])
    while store.upkeep():
        pass
    assert [(done.who, done.stored_n, done.done) for done in store.erasures()] == [("Ben", 1, DONE), ("Ada", 1, DONE)]
    assert [entry.source for entry in store.inspect(1)] == ["b"]


def test_the_quarantine_goes_with_it(open_store: Open, make_record: Make, tmp_path: Path) -> None:
    store = open_store()
    store.apply([Append([make_record(payload=b"q" * 9000)])])
    store._state.connection.execute("UPDATE record1 SET source='nowhere'")
    body = next(iter(sealed(store).values()))
    assert store.verify(1, 0)[1:] == (1, 1)
    assert traces(tmp_path, body)
    assert store.erase(BADGE).quarantined_n == 1
    assert store.stats().quarantined == 0
    assert not traces(tmp_path, body)


def test_the_bound_holds_while_erasing(open_store: Open, make_record: Make, tmp_path: Path) -> None:
    store = open_store()
    for _ in range(60):
        store.apply([Append([make_record(2, b"p" * 100_000, source="gate/badge1")])])
    store.apply([BADGE])
    while True:
        more = store.upkeep()
        assert sum(item.stat().st_size for item in tmp_path.iterdir()) <= LEAST_BOUND
        if not more:
            break
    assert store.inspect(2) == []


@pytest.mark.parametrize("finished", [True, False])
def test_a_salvage_brings_nothing_back(house: House, make_record: Make, finished: bool) -> None:
    """An order that is on record counts also where the page with the record was not yet overwritten."""
    store = house.open()
    store.apply([Append([make_record(payload=b"p" * 9000, source="gate/badge1"), make_record()])])
    store.close()
    store = house.open()
    if finished:
        store.erase(BADGE)
    else:
        store.apply([BADGE])
    store.abandon()
    store = house.replace(StoreDamagedError("as if"))
    assert [entry.source for entry in store.inspect(1)] == ["press4/bearing1"]
    assert [(done.who, done.stored_n, done.done) for done in store.erasures()] == [("Ada", int(finished), DONE)]
    store.abandon()


def test_nobody_asks_for_nothing() -> None:
    with pytest.raises(ValueError, match="who"):
        Erase(range=Range("*"), who="")
    with pytest.raises(ValueError, match="512"):
        Erase(range=Range("*"), who="x" * 513)
