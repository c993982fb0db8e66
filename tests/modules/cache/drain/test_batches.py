"""Batches on their way: few messages, every member once, and each batch always the same bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import pytest

from modules.cache.store import Erase, Range
from modules.common.messages import Message, members, metered_units

if TYPE_CHECKING:
    from tests.modules.cache.drain.conftest import Cache, PlayedHub

Make = Callable[..., Message]
CacheOf = Callable[..., AbstractContextManager["Cache"]]
Until = Callable[..., Awaitable[None]]
WINDOW = 5
ON = {"aggregates": True, "samples": True, "most_bytes": 4096}


def arrived(hub: PlayedHub) -> list[Message]:
    return [message for _, arrival in hub.arrived for message in members(arrival)]


def same_bytes(hub: PlayedHub) -> None:
    """What came twice under one id is the same."""
    seen: dict[str, Message] = {}
    for _, arrival in hub.arrived:
        assert seen.setdefault(arrival.message_id, arrival) == arrival


@pytest.mark.parametrize("gzip", [False, True])
def test_many_small_ones_go_as_few_and_alerts_alone(
    cache_of: CacheOf, hub: PlayedHub, make_message: Make, until: Until, gzip: bool
) -> None:
    messages = [make_message(kind) for _ in range(40) for kind in ("alert", "window", "sample")]

    async def play(cache: Cache) -> None:
        await cache.keep(*messages)
        async with cache.running() as drain:
            await until(cache.empty)
            assert sum(drain.metered.values()) == sum(metered_units(arrival) for _, arrival in hub.arrived)
            assert sum(drain.metered_apart.values()) == len(messages)
            assert drain.metered[0] == 40

    with cache_of(batch=ON | {"gzip": gzip}) as cache:
        asyncio.run(play(cache))
    assert {message.message_id: message for message in arrived(hub)} == {m.message_id: m for m in messages}
    assert len(arrived(hub)) == len(messages), "nothing twice"
    assert len(hub.arrived) < 40 + 2 * 8
    for where, arrival in hub.arrived:
        assert arrival.kind == ("alert" if where == 0 else "batch")
        assert arrival.content_encoding == ("gzip" if where and gzip else "utf-8")
    for priority, kind in enumerate(("alert", "window", "sample")):
        found = [m.message_id for where, arrival in hub.arrived if where == priority for m in members(arrival)]
        assert found == [m.message_id for m in messages if m.kind == kind], "in order within a priority"


def test_where_the_twin_does_not_allow_it_all_go_alone(
    cache_of: CacheOf, hub: PlayedHub, make_message: Make, until: Until
) -> None:
    async def play(cache: Cache) -> None:
        await cache.keep(*[make_message(kind) for _ in range(5) for kind in ("window", "sample")])
        async with cache.running():
            await until(cache.empty)

    with cache_of(batch={"aggregates": True}) as cache:
        asyncio.run(play(cache))
    assert [arrival.kind for where, arrival in hub.arrived if where == 2] == ["sample"] * 5
    assert [arrival.kind for where, arrival in hub.arrived if where == 1] == ["batch"]


def test_they_wait_for_company_no_longer_than_they_may(
    cache_of: CacheOf, hub: PlayedHub, make_message: Make, until: Until
) -> None:
    async def play(cache: Cache) -> None:
        async with cache.running() as drain:
            await cache.keep(*[make_message("window") for _ in range(3)])
            await asyncio.sleep(0.1)
            assert not hub.arrived
            await cache.keep(*[make_message("window", body=b'{"v":"%s"}' % (b"x" * 900)) for _ in range(6)])
            await until(lambda: bool(hub.arrived))
            assert len(hub.arrived) == 1, "only the full one goes"
            drain.flush()
            await until(cache.empty)
            await cache.keep(make_message("window"))
            await asyncio.sleep(0.05)
            assert await cache.depth() == 1
            drain.apply(
                cache.settings.model_copy(update={"batch": cache.settings.batch.model_copy(update={"wait_s": 0.0})})
            )
            await until(cache.empty)

    with cache_of(batch=ON | {"wait_s": 60}) as cache:
        asyncio.run(play(cache))


@pytest.mark.parametrize("loses", ["edgehub's store", "the cache's mind", "both"])
def test_sent_again_they_are_the_same(
    cache_of: CacheOf, hub: PlayedHub, make_message: Make, until: Until, loses: str
) -> None:
    """Also when more waits by then, which would make other batches, and when the twin has changed its mind."""
    messages = [make_message("window") for _ in range(60)]
    hub.link = False
    first: list[Message] = []

    async def play(cache: Cache) -> None:
        await cache.keep(*messages[:9])
        async with cache.running():
            await until(lambda: len(hub.queues[1]) == 1)
            await cache.keep(*messages[9:20])
            await until(lambda: len(hub.queues[1]) == 2)
            await until(cache.knows_hub)
            first.extend(hub.queues[1])
            if loses != "the cache's mind":
                hub.restart(lose=True)
                if loses == "edgehub's store":
                    await until(lambda: len(hub.queues[1]) == 2)
        if loses != "edgehub's store":
            cache.kill()
        cache.settings = cache.settings.model_copy(
            update={"batch": cache.settings.batch.model_copy(update={"most_bytes": 60_000, "gzip": True})}
        )
        await cache.keep(*messages[20:])
        hub.link = True
        async with cache.running():
            await until(cache.empty)

    with cache_of(batch=ON) as cache:
        asyncio.run(play(cache))
    same_bytes(hub)
    assert [message.message_id for message in first] == hub.ids(1)[:2]
    found = [message.message_id for message in arrived(hub)]
    assert sorted(set(found), key=found.index) == [message.message_id for message in messages]


def test_a_window_of_batches_is_a_window_of_messages(
    cache_of: CacheOf, hub: PlayedHub, make_message: Make, until: Until
) -> None:
    hub.link = False
    messages = [make_message("window") for _ in range(300)]

    async def play(cache: Cache) -> None:
        await cache.keep(*messages)
        async with cache.running() as drain:
            await until(lambda: len(hub.queues[1]) == WINDOW)
            await asyncio.sleep(0.05)
            assert drain.in_flight(1) == WINDOW == hub.most_waiting
            await until(lambda: cache.has_handed(WINDOW))
        cache.kill()
        hub.link = True
        async with cache.running():
            await until(cache.empty)

    with cache_of(batch=ON) as cache:
        asyncio.run(play(cache))
    assert [message.message_id for message in arrived(hub)] == [message.message_id for message in messages]


def test_what_was_erased_is_in_no_batch_that_is_sent_again(
    cache_of: CacheOf, hub: PlayedHub, make_message: Make, until: Until
) -> None:
    hub.link = False
    messages = [make_message("window", source="gate/badge1" if n % 3 == 0 else "press4") for n in range(9)]

    async def play(cache: Cache) -> None:
        await cache.keep(*messages)
        async with cache.running() as drain:
            await until(lambda: len(hub.queues[1]) == 1)
            await until(cache.knows_hub)
            await cache.writer.ask(lambda store: store.erase(Erase(range=Range("gate/*"), who="Ada")))
            await drain.let_go()
            hub.restart(lose=True)
            await until(lambda: len(hub.queues[1]) == 1)
            hub.link = True
            await until(cache.empty)

    with cache_of(batch=ON) as cache:
        asyncio.run(play(cache))
    assert [message.message_id for message in arrived(hub)] == [m.message_id for m in messages if m.source == "press4"]
