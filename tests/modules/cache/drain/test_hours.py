"""When the drain may send, and what happens to what may not be sent for a while."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from modules.cache import drain as drain_module
from modules.cache.store import LEAST_BOUND, KindLimits, Limits
from modules.common.messages import Message

if TYPE_CHECKING:
    from tests.modules.cache.drain.conftest import Cache, PlayedHub

Make = Callable[..., Message]
CacheOf = Callable[..., AbstractContextManager["Cache"]]
Until = Callable[..., Awaitable[None]]


def hours(opens: datetime, closes: datetime, **more: object) -> dict[str, object]:
    return {"windows": [{"opens": opens.strftime("%H:%M"), "closes": closes.strftime("%H:%M")}]} | more


NOW = datetime.now(UTC)
LATER = hours(NOW + timedelta(hours=5), NOW + timedelta(hours=6))
OPEN = hours(NOW - timedelta(hours=5), NOW + timedelta(hours=6))


@pytest.mark.parametrize("alerts_wait", [False, True])
def test_outside_its_hours_only_alerts_go_unless_they_wait_too(
    cache_of: CacheOf, hub: PlayedHub, make_message: Make, until: Until, alerts_wait: bool
) -> None:
    async def play(cache: Cache) -> None:
        async with cache.running() as drain:
            await cache.keep(*[make_message(kind) for kind in ("window", "sample", "alert")])
            await (asyncio.sleep(0.1) if alerts_wait else until(lambda: bool(hub.arrived)))
            await asyncio.sleep(0.05)
            assert [message.kind for _, message in hub.arrived] == ([] if alerts_wait else ["alert"])
            assert drain.shut
            drain.flush()
            await until(cache.empty)

    with cache_of(hours=LATER | {"alerts_wait": alerts_wait}) as cache:
        asyncio.run(play(cache))


def test_other_hours_in_the_twin_open_it(cache_of: CacheOf, hub: PlayedHub, make_message: Make, until: Until) -> None:
    async def play(cache: Cache) -> None:
        async with cache.running() as drain:
            await cache.keep(make_message("window"))
            await until(lambda: drain.shut)
            drain.apply(cache.settings.model_copy(update={"hours": type(cache.settings.hours).model_validate(OPEN)}))
            await until(cache.empty)
            assert not drain.shut

    with cache_of(hours=LATER) as cache:
        asyncio.run(play(cache))
    assert len(hub.arrived) == 1


def test_a_wrong_clock_does_not_shut_it_for_ever_over_restarts(
    cache_of: CacheOf, make_message: Make, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The day that it may be shut is counted on the store's clock, which goes on where it was."""
    monkeypatch.setattr("modules.cache.windows.LONGEST_SHUT_S", 2.0)

    async def play(cache: Cache) -> None:
        for _ in range(3):
            async with cache.running() as drain:
                await cache.keep(make_message("window"))
                await until(lambda: drain.shut)
                await asyncio.sleep(0.1)
                assert await cache.depth()
            cache.kill()

        async def sent() -> bool:
            drain.notify(1)
            return await cache.empty()

        async with cache.running() as drain:
            await until(sent)

    with cache_of(hours=LATER) as cache:
        asyncio.run(play(cache))


@pytest.mark.parametrize("why", ["paused", "window full", "shut"])
def test_what_cannot_be_sent_may_expire(
    cache_of: CacheOf, hub: PlayedHub, make_message: Make, until: Until, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    monkeypatch.setattr(drain_module, "_HOLD_S", 0.05)
    hub.link = why != "window full"

    async def drops(cache: Cache) -> int:
        stats = await cache.writer.ask(lambda store: store.stats())
        return sum(drop.n for drop in stats.dropped if drop.reason == "ttl")

    async def play(cache: Cache) -> None:
        async with cache.running() as drain:
            if why == "paused":
                drain.pause()
            await cache.keep(*[make_message("window") for _ in range(12)])
            left = 5 if why == "window full" else 0  # those are in edgeHub
            await cache.writer.ask(lambda store: store.set_limits(limits))

            async def gone() -> bool:
                await cache.writer.ask(lambda store: store.upkeep())
                return await cache.depth() == left

            await until(gone)
            assert await drops(cache) == 12 - left

    limits = Limits(bound=LEAST_BOUND, kinds={"window": KindLimits(ttl_ms=100)})
    with cache_of(**({"hours": LATER} if why == "shut" else {})) as cache:
        asyncio.run(play(cache))


def test_neither_starves(cache_of: CacheOf, hub: PlayedHub, make_message: Make, until: Until) -> None:
    """While both wait, samples get their share between aggregates, and alerts go before both."""

    async def play(cache: Cache) -> None:
        await cache.keep(*[make_message("window", body=b"w" * 400) for _ in range(80)])
        await cache.keep(*[make_message("sample", body=b"s" * 400) for _ in range(10)])
        await cache.keep(make_message("alert"))
        async with cache.running():
            await until(cache.empty)

    with cache_of(weights={"aggregates": 8, "samples": 1}, window_records=200) as cache:
        asyncio.run(play(cache))
    sent = hub.sent
    assert sent[0] == "alert"
    places = [place for place, kind in enumerate(sent) if kind == "sample"]
    assert all(b - a <= 10 for a, b in itertools.pairwise(places))
    assert places[0] <= 10
