"""Another data key while the store is in use: what is old opens, and is missed when it is gone."""

from __future__ import annotations

from collections.abc import Callable

from modules.cache.record import Record
from modules.cache.store import Append, Batch, Confirm, Erase, Hand, Range, Store

Make = Callable[..., Record]
Open = Callable[..., Store]
OLD, NEW = {1: b"k" * 32}, {1: b"k" * 32, 2: b"n" * 32}
ONLY_NEW = {2: b"n" * 32}


def test_records_before_and_after_open(open_store: Open, make_record: Make) -> None:
    store = open_store(keys=OLD)
    store.apply([Append([make_record(payload=b"before")])])
    store.rekey(NEW, "a copy")
    store.apply([Append([make_record(payload=b"after")])])
    assert [record.payload for record in store.peek(1, 0, most=9, most_bytes=1 << 20)] == [b"before", b"after"]
    assert store.get("keys") == "a copy"
    store.abandon()
    store = open_store(keys=NEW)
    assert [record.payload for record in store.peek(1, 0, most=9, most_bytes=1 << 20)] == [b"before", b"after"]


def test_the_old_key_is_needed_as_long_as_its_records(open_store: Open, make_record: Make) -> None:
    store = open_store(keys=OLD)
    store.apply([Append([make_record(0), make_record(1)]), Batch(1, 2, 2)])
    store.erase(Erase(range=Range("gate/*"), who="Ada"))
    store.rekey(NEW, "")
    store.apply([Append([make_record(0), make_record(2)])])
    assert store.oldest_key() == 1
    store.apply([Hand(0, 1, 0), Confirm(0, 1)])
    assert store.oldest_key() == 1
    store.apply([Hand(1, 2, 0), Confirm(1, 2)])
    assert store.oldest_key() == 2
    store.close()
    store = open_store(keys=ONLY_NEW)
    assert [depth.depth for depth in store.stats().priorities] == [1, 0, 1]
    assert [done.who for done in store.erasures()] == ["Ada"]


def test_batches_are_known_under_the_new_key_alone(open_store: Open, make_record: Make) -> None:
    store = open_store(keys=OLD)
    store.apply([Append([make_record(), make_record()]), Batch(1, 1, 2)])
    store.rekey(NEW, "")
    store.abandon()
    assert open_store(keys=ONLY_NEW).batches(1, 0) == [Batch(1, 1, 2)]
