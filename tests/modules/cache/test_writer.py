import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest

from modules.cache import writer as writer_module
from modules.cache.record import Record
from modules.cache.store import Append, Appended, Hand, Job, Store, StoreDamagedError, StoreFailingError, StoreFullError
from modules.cache.store.jobs import Result
from modules.cache.writer import StoreReplacedError, Writer

Make = Callable[..., Record]


@pytest.fixture
def writer(open_store: Callable[..., Store]) -> Iterator[Writer]:
    made = Writer(open_store(), lambda _error: open_store())
    yield made
    made.close()


async def hold(writer: Writer) -> tuple[threading.Event, asyncio.Task[bool]]:
    """Keep the store's thread busy, so that what follows waits together; returns once the thread is."""
    busy, free = threading.Event(), threading.Event()

    def wait(_store: Store) -> bool:
        busy.set()
        return free.wait(5)

    task = asyncio.create_task(writer.ask(wait))
    await asyncio.to_thread(busy.wait, 5)
    return free, task


def test_all_that_wait_are_one_commit(writer: Writer, make_record: Make) -> None:
    async def play() -> tuple[int, list[Appended]]:
        before = (await writer.ask(Store.stats)).commits
        free, holding = await hold(writer)
        waiting = [asyncio.create_task(writer.append([make_record()])) for _ in range(30)]
        await asyncio.sleep(0)
        free.set()
        results = await asyncio.gather(*waiting)
        await holding
        return (await writer.ask(Store.stats)).commits - before, results

    commits, results = asyncio.run(play())
    assert commits == 1
    assert results == [Appended(1)] * 30


def test_one_that_is_refused_does_not_harm_its_neighbours(writer: Writer, make_record: Make) -> None:
    async def play() -> list[Appended | BaseException]:
        for _ in range(13):
            await writer.append([make_record(0, b"x" * 200_000)])
        free, holding = await hold(writer)
        sizes = (100, 300_000, 100)
        waiting = [asyncio.create_task(writer.append([make_record(0, b"x" * size)])) for size in sizes]
        await asyncio.sleep(0)
        free.set()
        await holding
        return await asyncio.gather(*waiting, return_exceptions=True)

    first, second, third = asyncio.run(play())
    assert first == third == Appended(1)
    assert isinstance(second, StoreFullError)


def test_a_damaged_store_is_replaced_and_seqs_of_the_old_one_are_refused(
    open_store: Callable[..., Store], make_record: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = open_store()
    replaced: list[str] = []

    def replace(error: StoreDamagedError) -> Store:
        replaced.append(str(error))
        return open_store()

    writer = Writer(first, replace)
    whole = Store.apply

    def damaged(store: Store, jobs: list[Job]) -> list[Result]:
        if store is first:
            raise StoreDamagedError("as if")
        return whole(store, jobs)

    monkeypatch.setattr(Store, "apply", damaged)

    async def play() -> None:
        generation = writer.generation
        with pytest.raises(StoreFailingError):
            await writer.append([make_record()])
        assert await writer.append([make_record()]) == Appended(1)
        with pytest.raises(StoreReplacedError):
            await writer.do(Hand(1, 1, 0), generation)
        with pytest.raises(StoreReplacedError):
            await writer.ask(Store.stats, generation)

    asyncio.run(play())
    writer.close()
    assert replaced == ["as if"]


def test_a_store_that_cannot_be_replaced_yet_is_tried_again(
    open_store: Callable[..., Store], make_record: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "_REPLACE_AGAIN_S", 0.001)
    first = open_store()
    tries = 0

    def replace(_error: StoreDamagedError) -> Store:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise (StoreFailingError if tries == 1 else OSError)("the disk is full")
        return open_store()

    writer = Writer(first, replace)

    def damaged(_store: Store) -> None:
        raise StoreDamagedError("as if")

    async def play() -> None:
        with pytest.raises(StoreFailingError):
            await writer.ask(damaged)
        assert await writer.append([make_record()]) == Appended(1)

    asyncio.run(play())
    writer.close()
    assert tries == 3


def test_who_asks_hears_of_errors(writer: Writer) -> None:
    def wrong(_store: Store) -> None:
        raise LookupError("as asked")

    async def play() -> None:
        with pytest.raises(LookupError, match="as asked"):
            await writer.ask(wrong)
        assert (await writer.ask(Store.stats)).priorities[0].depth == 0

    asyncio.run(play())


def test_what_waits_when_it_closes_is_still_committed(open_store: Callable[..., Store], make_record: Make) -> None:
    writer = Writer(open_store(), lambda _error: open_store())
    done = []

    async def play() -> None:
        free, _holding = await hold(writer)
        waiting = asyncio.create_task(writer.do(Append([make_record()])))
        await asyncio.sleep(0)
        closing = asyncio.create_task(asyncio.to_thread(writer.close))
        free.set()
        done.append(await waiting)
        await closing

    asyncio.run(play())
    assert done == [Appended(1)]
    assert open_store().stats().priorities[1].depth == 1


def test_gathering_waits_for_company(open_store: Callable[..., Store], make_record: Make) -> None:
    writer = Writer(open_store(), lambda _error: open_store(), gather_s=0.05)

    async def play() -> int:
        await writer.ask(Store.stats)
        before = (await writer.ask(Store.stats)).commits
        await asyncio.gather(*(writer.append([make_record()]) for _ in range(5)))
        return (await writer.ask(Store.stats)).commits - before

    assert asyncio.run(play()) <= 2
    writer.close()


def test_who_goes_away_does_not_stop_it(writer: Writer, make_record: Make) -> None:
    async def play() -> Appended:
        free, holding = await hold(writer)
        gone = [asyncio.create_task(writer.append([make_record()])), asyncio.create_task(writer.ask(Store.stats))]
        await asyncio.sleep(0)
        for task in gone:
            task.cancel()
        await asyncio.gather(*gone, return_exceptions=True)
        free.set()
        await holding
        holding = asyncio.create_task(writer.ask(lambda _store: True))
        await asyncio.sleep(0)
        holding.cancel()
        return await writer.append([make_record()])

    assert asyncio.run(play()) == Appended(1)
