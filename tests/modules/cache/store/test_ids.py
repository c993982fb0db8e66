import random
import uuid
from collections.abc import Callable

import pytest

from modules.cache.record import Record, pack_id
from modules.cache.store import LEAST_BOUND, Append, Appended, Confirm, Limits, Store
from modules.cache.store.budget import PAGE

Make = Callable[..., Record]
Open = Callable[..., Store]
GROUP = 1000


def uuid7(number: int) -> str:
    """Ids as modules make them: ten a millisecond."""
    return str(uuid.UUID(int=(1_700_000_000_000 + number // 10) << 80 | 7 << 76 | 2 << 62 | random.getrandbits(60)))


def short(number: int) -> str:
    return f"{number % 7}/{number}"


def long(number: int) -> str:
    return f"{number:08}".rjust(128, "press4/bearing1/"[number % 16])


def accept(store: Store, make_record: Make, n: int, make_id: Callable[[int], str] = uuid7) -> list[str]:
    """Accept `n` small records and confirm them, group by group; their ids."""
    known = [make_id(number) for number in range(n)]
    for start in range(0, n, GROUP):
        some = known[start : start + GROUP]
        assert store.apply([Append([make_record(1, b"", each) for each in some])]) == [Appended(len(some))]
        store.apply([Confirm(1, store.stats().priorities[1].accepted)])
    return known


def share(store: Store) -> float:
    """Of the store's pages, those that ids take."""
    size = ask(store, "SELECT sum(pgsize) FROM dbstat WHERE name = 'ids'")
    return size / (store._state.budget.pages * PAGE)


def remembered(store: Store) -> int:
    return ask(store, "SELECT count(*) FROM ids")


def ask(store: Store, query: str) -> int:
    """The one number that answers a query."""
    ((answer,),) = store._state.connection.execute(query).fetchall()
    assert isinstance(answer, int)
    return answer


@pytest.mark.parametrize(("make_id", "n"), [(uuid7, 80_000), (short, 100_000), (long, 20_000)])
def test_ids_leave_room_for_records(open_store: Open, make_record: Make, make_id: Callable[[int], str], n: int) -> None:
    """However many come and whatever they look like, and none is forgotten that has room."""
    store = open_store()
    known = accept(store, make_record, n, make_id)
    assert share(store) <= 0.25
    most = store.stats().horizon_ids
    assert 1000 < most < n
    newest = random.Random(1).sample(known[-most:], 200)
    for message_id in newest:
        assert store.apply([Append([make_record(1, b"", message_id)])]) == [Appended(0, 1)]
    assert store.apply([Append([make_record(1, b"", known[0])])]) == [Appended(1)]
    assert not store.stats().dropped
    for _ in range(9):
        assert store.apply([Append([make_record(0, b"x" * 200_000)])]) == [Appended(1)]


def test_a_cache_that_restarts_often_forgets_too(open_store: Open, make_record: Make) -> None:
    store = open_store()
    for _ in range(200):
        known = [str(uuid.uuid4()) for _ in range(100)]
        store.apply([Append([make_record(1, b"", each) for each in known])])
        store.apply([Confirm(1, store.stats().priorities[1].accepted)])
        store.abandon()
        store = open_store(Limits(bound=LEAST_BOUND, horizon_ids=1000))
    assert remembered(store) <= 2 * 1000
    assert store.apply([Append([make_record(1, b"", known[0])])]) == [Appended(0, 1)]


def test_where_there_is_room_the_limit_holds(open_store: Open, make_record: Make) -> None:
    store = open_store(Limits(bound=LEAST_BOUND, horizon_ids=2000))
    known = accept(store, make_record, 20_000)
    assert store.stats().horizon_ids == 2000
    assert remembered(store) <= 2 * 2000
    assert store.apply([Append([make_record(1, b"", known[-2000])])]) == [Appended(0, 1)]


def test_ids_of_an_earlier_store_have_no_more_room_than_others(open_store: Open, make_record: Make) -> None:
    store = open_store()
    taken = 0
    while store.know([pack_id(str(uuid.uuid4())) for _ in range(100)]):
        taken += 100
    assert 10_000 < taken < 15_000
    assert share(store) <= 0.25
    for _ in range(8):
        assert store.apply([Append([make_record(2, b"x" * 200_000)])]) == [Appended(1)]


def test_ids_of_an_earlier_store_are_not_taken_into_a_full_one(open_store: Open, make_record: Make) -> None:
    store = open_store()
    while not store.stats().dropped:
        store.apply([Append([make_record(2, b"x" * 3000)])])
    waiting = store.stats().priorities[2].depth
    assert not store.know([pack_id(str(uuid.uuid4())) for _ in range(100)])
    assert store.stats().priorities[2].depth == waiting
