"""What is kept is sent again as it was, behind everything live, and over restarts."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from modules.cache.replay import PROPERTY, Order
from modules.common.messages import Message

if TYPE_CHECKING:
    from tests.modules.cache.drain.conftest import Cache, PlayedHub

Make = Callable[..., Message]
CacheOf = Callable[..., AbstractContextManager["Cache"]]
Until = Callable[..., Awaitable[None]]
KEPT = {"alerts": 24, "aggregates": 24, "samples": 24}
ALL = Order("again", "*", 0, 1 << 62)


def replayed(hub: PlayedHub) -> list[Message]:
    return [message for _, message in hub.arrived if PROPERTY in message.properties]


def as_it_was(message: Message) -> Message:
    properties = {key: value for key, value in message.properties.items() if key != PROPERTY}
    return dataclasses.replace(message, properties=properties)


def test_a_range_comes_again_as_it_was(cache_of: CacheOf, hub: PlayedHub, make_message: Make, until: Until) -> None:
    before = [make_message(kind) for kind in ("alert", "window", "sample", "alert")]
    wanted = [make_message(kind, source=source) for source in ("a/1", "a/2", "b") for kind in ("alert", "window")]

    async def play(cache: Cache) -> None:
        async with cache.running() as drain:
            await cache.keep(*before)
            await until(cache.empty)
            await asyncio.sleep(0.01)
            start = time.time_ns() // 1_000_000
            await cache.keep(*wanted)
            await until(cache.empty)
            await drain.begin_replay(Order("again", "a/*", start, 1 << 62))
            await until(lambda: drain.replay.order is None)
            facts = drain.replay.facts()
            assert facts is not None
            assert (facts["sent"], facts["done"]) == (4, True)
            assert await cache.depth() == 0

    with cache_of(retention_hours=KEPT) as cache:
        asyncio.run(play(cache))
    found = replayed(hub)
    assert {message.properties[PROPERTY] for message in found} == {"again"}
    in_order = [m for kind in ("alert", "window") for m in wanted if m.kind == kind and m.source != "b"]
    assert [as_it_was(message) for message in found] == in_order
    assert {where for where, message in hub.arrived if PROPERTY in message.properties} == {2}, "the lowest urgency"


def test_live_data_goes_first(cache_of: CacheOf, hub: PlayedHub, make_message: Make, until: Until) -> None:
    async def play(cache: Cache) -> None:
        async with cache.running() as drain:
            await cache.keep(*[make_message("window") for _ in range(30)])
            await until(cache.empty)
            drain.pause()
            await drain.begin_replay(ALL)
            await cache.keep(*[make_message("sample") for _ in range(30)])
            drain.resume()
            await until(lambda: drain.replay.order is None)

    with cache_of(retention_hours=KEPT) as cache:
        asyncio.run(play(cache))
    marks = [PROPERTY in message.properties for _, message in hub.arrived]
    assert marks[30:] == [False] * 30 + [True] * 60


def test_it_goes_on_after_a_restart_and_repeats_a_window_at_most(
    cache_of: CacheOf, hub: PlayedHub, make_message: Make, until: Until
) -> None:
    async def play(cache: Cache) -> None:
        async with cache.running() as drain:
            await cache.keep(*[make_message("window") for _ in range(90)])
            await until(cache.empty)
            hub.before_send = slow
            await drain.begin_replay(ALL)
            await until(lambda: len(replayed(hub)) >= 30)
        cache.kill()
        hub.before_send = None
        async with cache.running() as drain:
            await until(lambda: drain.replay.order is not None)
            await until(lambda: drain.replay.order is None)

    async def slow(_message: Message) -> None:
        await asyncio.sleep(0.001)

    with cache_of(retention_hours=KEPT) as cache:
        asyncio.run(play(cache))
    ids = [message.message_id for message in replayed(hub)]
    assert len(set(ids)) == 90
    assert len(ids) <= 90 + 20


def test_it_is_sent_again_when_edgehub_lost_it_and_stops_when_told(
    cache_of: CacheOf, hub: PlayedHub, make_message: Make, until: Until
) -> None:
    async def play(cache: Cache) -> None:
        async with cache.running() as drain:
            await cache.keep(*[make_message("window") for _ in range(30)])
            await until(cache.empty)
            hub.link = False
            await drain.begin_replay(ALL)
            await until(lambda: len(hub.queues[2]) == 20)
            await asyncio.sleep(0.03)
            assert len(hub.queues[2]) == 20, "its window"
            hub.restart(lose=True)
            await until(lambda: len(hub.queues[2]) == 20)
            hub.link = True
            await until(lambda: drain.replay.order is None)
            assert len(replayed(hub)) == 30
            hub.link = False
            await drain.begin_replay(ALL)
            await until(lambda: len(hub.queues[2]) == 20)
            await drain.replay.stop()
            hub.link = True
            await cache.keep(make_message("sample"))
            await until(cache.empty)
            assert len(replayed(hub)) == 50

    with cache_of(retention_hours=KEPT) as cache:
        asyncio.run(play(cache))
