"""Times to live and retention by kind, on the store's own clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from modules.cache.record import Record
from modules.cache.store import LEAST_BOUND, Append, Appended, Confirm, Hand, KindLimits, Limits, Rewind, Store

Make = Callable[..., Record]
Open = Callable[..., Store]
YEAR_S = 31_536_000


def limits(retention_s: int = 0, **kinds: KindLimits) -> Limits:
    return Limits(bound=LEAST_BOUND, retention_ms=(0, 1000 * retention_s, 0), kinds=kinds)


def settle(store: Store) -> None:
    while store.upkeep():
        pass


def left(store: Store, priority: int = 1) -> list[str]:
    return [entry.kind for entry in store.inspect(priority, most=1000)]


def dropped(store: Store) -> dict[tuple[int, str], int]:
    return {(drop.priority, drop.reason): drop.n for drop in store.stats().dropped}


def keep(store: Store, make_record: Make, *kinds: str) -> list[Record]:
    records = [make_record(kind=kind) for kind in kinds]
    store.apply([Append(records)])
    return records


def test_a_kind_waits_no_longer_than_it_may(open_store: Open, make_record: Make, hands: Any) -> None:
    store = open_store(limits(score=KindLimits(ttl_ms=60_000)), clock=hands.clock())
    records = keep(store, make_record, "score", "window", "score")
    hands.advance(59)
    keep(store, make_record, "score")
    settle(store)
    assert left(store) == ["score", "window", "score", "score"]
    hands.advance(1)
    settle(store)
    assert left(store) == ["window", "score"]
    assert dropped(store) == {(1, "ttl"): 2}
    assert store.stats().priorities[1].depth == 2
    assert store.apply([Append([records[0]])]) == [Appended(0, 1)], "its id stays known"
    hands.advance(60)
    settle(store)
    assert left(store) == ["window"]
    assert dropped(store) == {(1, "ttl"): 3}


def test_what_edgehub_has_or_is_about_to_get_does_not_expire(open_store: Open, make_record: Make, hands: Any) -> None:
    store = open_store(limits(score=KindLimits(ttl_ms=60_000)), clock=hands.clock())
    keep(store, make_record, *["score"] * 6)
    store.apply([Hand(1, 2, 0)])
    store.peek(1, 2, most=2, most_bytes=1 << 20)
    hands.advance(61)
    settle(store)
    assert [entry.seq for entry in store.inspect(1)] == [1, 2, 3, 4]
    store.release(1, 2)
    settle(store)
    assert [entry.seq for entry in store.inspect(1)] == [1, 2]
    store.apply([Rewind(1)])
    settle(store)
    assert left(store) == []


def test_what_was_handed_before_a_restart_expires_when_it_is_to_be_sent_again(
    open_store: Open, make_record: Make, hands: Any
) -> None:
    rules = limits(score=KindLimits(ttl_ms=60_000))
    store = open_store(rules, clock=hands.clock())
    keep(store, make_record, *["score"] * 4)
    store.apply([Hand(1, 2, 0)])
    store.close()
    store = open_store(rules, clock=hands.clock())
    hands.advance(60)
    settle(store)
    assert [entry.seq for entry in store.inspect(1)] == [1, 2]
    store.apply([Rewind(1)])
    settle(store)
    assert left(store) == []


def test_neither_a_wall_clock_nor_a_restart_moves_it(open_store: Open, make_record: Make, hands: Any) -> None:
    rules = limits(score=KindLimits(ttl_ms=60_000), window=KindLimits(retention_ms=60_000))
    store = open_store(rules, clock=hands.clock())
    keep(store, make_record, "window", "score")
    store.apply([Hand(1, 1, 0), Confirm(1, 1)])
    for years in (1, -2):
        hands.wall += 1000 * years * YEAR_S
        settle(store)
        assert left(store) == ["window", "score"]
    store.close()
    hands.running = 7  # another boot
    store = open_store(rules, clock=hands.clock())
    hands.running += 59_000
    settle(store)
    assert left(store) == ["window", "score"]
    hands.running += 1000
    settle(store)
    assert left(store) == []
    assert dropped(store) == {(1, "ttl"): 1}, "what was delivered is not lost when it is purged"


def test_each_kind_is_kept_for_its_own_time(open_store: Open, make_record: Make, hands: Any) -> None:
    rules = limits(30, score=KindLimits(retention_ms=60_000), health=KindLimits(retention_ms=0))
    store = open_store(rules, clock=hands.clock())
    keep(store, make_record, "score", "health", "window", "score", "health", "window")
    store.apply([Hand(1, 6, 0), Confirm(1, 6)])
    settle(store)
    assert left(store) == ["score", "window", "score", "window"]
    hands.advance(30)
    settle(store)
    assert left(store) == ["score", "score"]
    assert store.stats().priorities[1].kept == 2
    hands.advance(30)
    settle(store)
    assert left(store) == []
    assert store.stats().priorities[1].kept == 0


def test_another_retention_takes_effect_at_once(open_store: Open, make_record: Make, hands: Any) -> None:
    store = open_store(limits(3600), clock=hands.clock())
    keep(store, make_record, "score", "window")
    store.apply([Hand(1, 2, 0), Confirm(1, 2)])
    settle(store)
    assert left(store) == ["score", "window"]
    store.set_limits(limits(3600, score=KindLimits(retention_ms=0)))
    settle(store)
    assert left(store) == ["window"]
    store.set_limits(limits(0, score=KindLimits(retention_ms=0)))
    settle(store)
    assert left(store) == []


def test_a_kind_that_loses_its_own_retention_has_that_of_its_priority(
    open_store: Open, make_record: Make, hands: Any
) -> None:
    store = open_store(limits(30, score=KindLimits(retention_ms=3_600_000)), clock=hands.clock())
    keep(store, make_record, "score", "window")
    store.apply([Hand(1, 2, 0), Confirm(1, 2)])
    hands.advance(30)
    settle(store)
    assert left(store) == ["score"]
    store.set_limits(limits(30))
    settle(store)
    assert left(store) == []


def test_many_kinds_among_each_other(open_store: Open, make_record: Make, hands: Any) -> None:
    store = open_store(limits(score=KindLimits(ttl_ms=60_000)), clock=hands.clock())
    for _ in range(20):
        keep(store, make_record, *(["score", "window"] * 30))
        hands.advance(1)
    hands.advance(60)
    settle(store)
    assert left(store) == ["window"] * 600
    assert store.check_file() == []
