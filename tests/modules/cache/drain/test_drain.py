"""What the drain keeps: order, the window, the bandwidth, and nothing missing whatever restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import pytest

from modules.common.messages import Message

if TYPE_CHECKING:
    from tests.modules.cache.drain.conftest import Cache, PlayedHub

Make = Callable[..., Message]
CacheOf = Callable[..., AbstractContextManager["Cache"]]
Until = Callable[..., Awaitable[None]]
WINDOW = 5


def test_everything_arrives_as_it_was_and_the_store_is_empty(
    cache_of: CacheOf, hub: PlayedHub, make_message: Make, until: Until
) -> None:
    messages = [make_message(kind, body=bytes([n]) * n) for n in range(12) for kind in ("alert", "window", "sample")]

    async def play(cache: Cache) -> None:
        await cache.keep(*messages)
        async with cache.running():
            await until(cache.empty)

    with cache_of() as cache:
        asyncio.run(play(cache))
    assert {message.message_id: message for _, message in hub.arrived} == {m.message_id: m for m in messages}
    assert len(hub.arrived) == len(messages), "nothing twice"
    for priority, kind in enumerate(("alert", "window", "sample")):
        assert hub.ids(priority) == [m.message_id for m in messages if m.kind == kind], "in order within a priority"


def test_only_a_window_goes_while_the_cloud_is_away(
    cache_of: CacheOf, hub: PlayedHub, make_message: Make, until: Until
) -> None:
    messages = [make_message("window") for _ in range(30)]
    hub.link = False

    async def play(cache: Cache) -> None:
        await cache.keep(*messages)
        async with cache.running() as drain:
            await until(lambda: len(hub.queues[1]) == WINDOW)
            await asyncio.sleep(0.1)
            assert hub.most_waiting == WINDOW
            assert await cache.depth() == 30, "a PUBACK of edgeHub's confirms nothing"
            assert drain.in_flight(1) == WINDOW
            hub.link = True
            await until(cache.empty)

    with cache_of() as cache:
        asyncio.run(play(cache))
    assert hub.ids() == [message.message_id for message in messages]


@pytest.mark.parametrize("lose", [False, True])
def test_edgehub_restarts(cache_of: CacheOf, hub: PlayedHub, make_message: Make, until: Until, lose: bool) -> None:
    messages = [make_message(kind) for _ in range(10) for kind in ("alert", "window")]
    hub.link = False

    async def play(cache: Cache) -> None:
        await cache.keep(*messages)
        async with cache.running() as drain:
            await until(lambda: len(hub.queues[0]) == len(hub.queues[1]) == WINDOW)
            await until(lambda: all(drain._lanes[priority].flight.instance for priority in (0, 1)))
            hub.restart(lose=lose)
            await until(lambda: len(hub.queues[0]) == len(hub.queues[1]) == WINDOW)
            hub.link = True
            await until(cache.empty)

    with cache_of() as cache:
        asyncio.run(play(cache))
    assert set(hub.ids()) == {message.message_id for message in messages}, "missing"
    assert len(hub.arrived) == len(messages)
    assert hub.ids(1) == [message.message_id for message in messages if message.kind == "window"]


@pytest.mark.parametrize("marks", [True, False])
def test_the_cache_is_killed_with_messages_in_flight(
    cache_of: CacheOf, hub: PlayedHub, make_message: Make, until: Until, marks: bool
) -> None:
    messages = [make_message("window") for _ in range(20)]
    hub.link = False

    async def play(cache: Cache) -> None:
        await cache.keep(*messages)
        async with cache.running() as drain:
            if not marks:
                drain._marks_due = asyncio.Event()  # nobody sets it
                drain._marks_due.set = lambda: None  # type: ignore[method-assign]
            await until(lambda: len(hub.queues[1]) == WINDOW)
            if marks:
                await until(lambda: cache.has_handed(WINDOW))
        cache.kill()
        hub.link = True
        async with cache.running():
            await until(cache.empty)

    with cache_of() as cache:
        asyncio.run(play(cache))
    arrived = hub.ids()
    assert set(arrived) == {message.message_id for message in messages}
    repeats = len(arrived) - len(messages)
    assert repeats == 0 if marks else repeats <= WINDOW
    by_id = {message.message_id: message for message in messages}
    assert all(message == by_id[message.message_id] for _, message in hub.arrived), "repeats are the same bytes"
    assert sorted(set(arrived), key=arrived.index) == [message.message_id for message in messages], "order"


def test_edgehub_loses_its_store_while_the_cache_is_down(
    cache_of: CacheOf, hub: PlayedHub, make_message: Make, until: Until
) -> None:
    messages = [make_message("alert") for _ in range(8)]
    hub.link = False

    async def play(cache: Cache) -> None:
        await cache.keep(*messages)
        async with cache.running():
            await until(lambda: cache.has_handed(WINDOW, priority=0))
            await until(cache.knows_hub)
        cache.kill()
        hub.restart(lose=True)
        hub.link = True
        async with cache.running():
            await until(cache.empty)

    with cache_of() as cache:
        asyncio.run(play(cache))
    assert hub.ids() == [message.message_id for message in messages]


def test_nothing_is_confirmed_while_edgehub_s_metrics_are_silent(
    cache_of: CacheOf, hub: PlayedHub, make_message: Make, until: Until
) -> None:
    hub.silent = True

    async def play(cache: Cache) -> None:
        await cache.keep(*[make_message("alert") for _ in range(8)])
        async with cache.running() as drain:
            await until(lambda: bool(drain.watch.silent))
            assert not hub.queues[0], "which edgeHub it is must be known first"
            hub.silent, hub.link = False, False
            await until(lambda: len(hub.queues[0]) == WINDOW)
            hub.silent, hub.link = True, True
            hub.pass_on()
            await until(lambda: bool(drain.watch.silent))
            await asyncio.sleep(0.03)
            assert await cache.depth() == 8
            hub.silent = False
            await until(cache.empty)
            assert not drain.watch.silent

    with cache_of() as cache:
        asyncio.run(play(cache))


def test_bandwidth_holds_back_all_but_alerts_until_flushed(
    cache_of: CacheOf, hub: PlayedHub, make_message: Make, until: Until
) -> None:
    async def play(cache: Cache) -> None:
        async with cache.running() as drain:
            await cache.keep(*[make_message("sample", body=b"s" * 3000) for _ in range(4)])
            await until(lambda: len(hub.ids(2)) >= 1)
            await cache.keep(make_message("alert"))
            await until(lambda: len(hub.ids(0)) == 1)
            assert len(hub.ids(2)) == 1
            drain.flush()
            await until(cache.empty)

    with cache_of(bandwidth_bytes_per_s=100) as cache:
        asyncio.run(play(cache))
    assert len(hub.ids(2)) == 4


def test_paused_keeps_and_resumed_sends(cache_of: CacheOf, hub: PlayedHub, make_message: Make, until: Until) -> None:
    async def play(cache: Cache) -> None:
        async with cache.running() as drain:
            drain.pause()
            await cache.keep(*[make_message("alert") for _ in range(3)])
            await asyncio.sleep(0.03)
            assert not hub.arrived
            assert await cache.depth() == 3
            drain.resume()
            await until(cache.empty)

    with cache_of() as cache:
        asyncio.run(play(cache))


def test_alerts_overtake_what_waits(cache_of: CacheOf, hub: PlayedHub, make_message: Make, until: Until) -> None:
    alert = make_message("alert")

    async def play(cache: Cache) -> None:
        gate = asyncio.Event()
        order: list[str] = []

        async def note(message: Message) -> None:
            order.append(message.kind)
            if len(order) == 2:
                await cache.keep(alert)
                gate.set()
            if len(order) == 3:
                await gate.wait()

        hub.before_send = note
        await cache.keep(*[make_message("sample") for _ in range(10)])
        async with cache.running():
            await until(cache.empty)
        assert order[2] == "alert"

    with cache_of() as cache:
        asyncio.run(play(cache))
