"""A cache module before an edgeHub that passes everything on, or holds it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from modules.cache import drain as drain_module
from modules.cache import module as cache_module
from modules.cache import watch as watch_module
from modules.cache.hubqueue import HubQueue, Lengths
from modules.cache.module import CacheModule
from modules.cache.settings import CacheSettings
from modules.cache.store.house import House
from modules.common.edge import Edge
from tests.waiting import holds

if TYPE_CHECKING:
    from tests.modules.conftest import PlayedTransport


class Line:
    """A running cache before an edgeHub that passes everything on, or holds it."""

    def __init__(self, house: House, transport: PlayedTransport, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MILLWATCH_VIEW_PORT", "0")
        for name in ("_MARK_AFTER_S", "_AGAIN_S"):
            monkeypatch.setattr(drain_module, name, 0.005)
        for name in ("_FIRST_LOOK_S", "_LONGEST_LOOK_S", "_IDLE_LOOK_S"):
            monkeypatch.setattr(watch_module, name, 0.005)
        monkeypatch.setattr(cache_module, "_AGAIN_S", 0.01)
        monkeypatch.setattr(cache_module, "_FIGURES_S", 0.02)
        self.waiting = 0
        self.away: bool | None = None

        async def read(_hub: HubQueue) -> Lengths:
            return Lengths({0: self.waiting, 1: self.waiting, 2: self.waiting}, "1", 0.0, self.away)

        monkeypatch.setattr(HubQueue, "read", read)
        self.transport = transport
        self.edge = Edge("cache", CacheSettings, state_dir=house.root, transport=transport, heartbeat_s=60)
        self.module = CacheModule(self.edge, house)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.edge.run())
        try:
            await _until(lambda: "inputs" in self.transport.subscribed)
            yield
        finally:
            self.edge.stop()
            await task


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds(condition):  # noqa: ASYNC110 -- what is waited for knows no event
            await asyncio.sleep(0.002)


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    return _until


@pytest.fixture
def line(house: House, transport: PlayedTransport, monkeypatch: pytest.MonkeyPatch) -> Line:
    return Line(house, transport, monkeypatch)
