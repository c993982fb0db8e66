"""Batches are noted once and found again, whatever happens between."""

from __future__ import annotations

from collections.abc import Callable

from modules.cache.record import Record
from modules.cache.store import Append, Batch, Confirm, Hand, Rewind, Store

Make = Callable[..., Record]
Open = Callable[..., Store]


def test_membership_outlives_restarts_and_rewinds(open_store: Open, make_record: Make) -> None:
    store = open_store()
    store.apply([Append([make_record() for _ in range(9)])])
    bound = [Batch(1, 1, 3), Batch(1, 4, 8, gzip=True)]
    assert store.apply(bound) == [None, None]
    store.apply([Hand(1, 8, 0)])
    store.abandon()
    store = open_store()
    assert store.batches(1, 0) == bound
    store.apply([Rewind(1)])
    assert store.batches(1, 0) == bound
    assert store.batches(1, 3) == bound[1:]
    assert store.batches(2, 0) == []


def test_a_batch_in_flight_is_one_message(open_store: Open, make_record: Make) -> None:
    store = open_store()
    store.apply([Append([make_record(payload=b"x" * 71) for _ in range(9)])])
    store.apply([Batch(1, 2, 4), Batch(1, 5, 8), Hand(1, 9, 0)])
    assert store.flight(1).records == [(1, 100), (4, 300), (8, 400), (9, 100)]


def test_what_was_delivered_is_forgotten(open_store: Open, make_record: Make) -> None:
    store = open_store()
    store.apply([Append([make_record() for _ in range(9)]), Batch(1, 1, 3), Batch(1, 4, 8)])
    store.apply([Hand(1, 8, 0), Confirm(1, 3)])
    assert store.batches(1, 0) == [Batch(1, 4, 8)]


def test_an_altered_row_is_none(open_store: Open, make_record: Make) -> None:
    store = open_store()
    store.apply([Append([make_record() for _ in range(9)]), Batch(1, 1, 3), Batch(1, 4, 8)])
    store._state.connection.execute("UPDATE batch SET first=2 WHERE last=3")
    assert store.batches(1, 0) == [Batch(1, 4, 8)]
