"""A drain before an edgeHub of the test's: first in, first out, its link can be cut and its store be lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import replace
from functools import partial

import pytest

from modules.cache import drain as drain_module
from modules.cache import watch as watch_module
from modules.cache.drain import Drain
from modules.cache.envelope import wrap
from modules.cache.hubqueue import HubSilentError, Lengths
from modules.cache.settings import CacheSettings
from modules.cache.store import LEAST_BOUND, Store
from modules.cache.writer import Writer
from modules.common.messages import Message

Open = Callable[..., Store]
WINDOW = 5


class PlayedHub:
    """edgeHub as the cache sees it: it acknowledges, queues, and passes on while the link is up."""

    def __init__(self) -> None:
        self.queues: dict[int, list[Message]] = {0: [], 1: [], 2: []}
        self.arrived: list[tuple[int, Message]] = []
        self.sent: list[str] = []
        self.link = True
        self.silent = False
        self.instance = 1
        self.most_waiting = 0
        self.before_send: Callable[[Message], Awaitable[None]] | None = None

    async def send(self, output: str, message: Message) -> None:
        if self.before_send is not None:
            await self.before_send(message)
        await asyncio.sleep(0)
        self.sent.append(message.kind)
        self.queues[int(output.removeprefix("upstream"))].append(message)
        self.most_waiting = max(self.most_waiting, *map(len, self.queues.values()))

    async def read(self) -> Lengths:
        if self.silent:
            raise HubSilentError("as if")
        answer = Lengths({p: len(queue) for p, queue in self.queues.items()}, str(self.instance), 0.0)
        self.pass_on()
        return answer

    def pass_on(self) -> None:
        if self.link:
            for priority, queue in self.queues.items():
                self.arrived += [(priority, message) for message in queue]
                queue.clear()

    def restart(self, *, lose: bool) -> None:
        self.instance += 1
        for queue in self.queues.values():
            if lose:
                queue.clear()

    def ids(self, priority: int | None = None) -> list[str]:
        return [message.message_id for where, message in self.arrived if priority in {None, where}]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_MARK_AFTER_S", "_AGAIN_S"):
        monkeypatch.setattr(drain_module, name, 0.005)
    for name in ("_FIRST_LOOK_S", "_LONGEST_LOOK_S"):
        monkeypatch.setattr(watch_module, name, 0.005)


@pytest.fixture
def hub() -> PlayedHub:
    return PlayedHub()


class Cache:
    """A store with its writer and drain, begun and killed at will."""

    def __init__(self, open_store: Open, hub: PlayedHub, **settings: object) -> None:
        self.hub = hub
        self.settings = CacheSettings.model_validate({"window_records": WINDOW} | settings)
        self.open_store = partial(open_store, replace(self.settings.limits(), bound=LEAST_BOUND))
        self.store = self.open_store()
        self.writer = Writer(self.store, lambda _error: self.open_store())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Drain]:
        self.drain = Drain(self.writer, self.hub.send, self.hub, self.settings)
        task = asyncio.create_task(self.drain.run())
        try:
            yield self.drain
            if task.done():
                task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def keep(self, *messages: Message) -> None:
        for message in messages:
            await self.writer.append([wrap(message)])
            if hasattr(self, "drain"):
                self.drain.notify(wrap(message).priority)

    async def depth(self) -> int:
        return sum(depth.depth for depth in (await self.writer.ask(Store.stats)).priorities)

    async def empty(self) -> bool:
        return await self.depth() == 0

    async def has_handed(self, n: int, priority: int = 1) -> bool:
        return len((await self.writer.ask(lambda store: store.flight(priority))).records) == n

    async def knows_hub(self) -> bool:
        return await self.writer.ask(lambda store: store.get("hub")) is not None

    def kill(self) -> None:
        """As SIGKILL leaves it: nothing more is written."""
        self.store.close = self.store.abandon  # type: ignore[method-assign]
        self.writer.close()
        self.store = self.open_store()
        self.writer = Writer(self.store, lambda _error: self.open_store())


@pytest.fixture
def cache_of(open_store: Open, hub: PlayedHub) -> Callable[..., AbstractContextManager[Cache]]:
    """Makes a cache with these settings."""

    @contextmanager
    def make(**settings: object) -> Iterator[Cache]:
        cache = Cache(open_store, hub, **settings)
        try:
            yield cache
        finally:
            cache.writer.close()

    return make


async def _until(condition: Callable[[], Awaitable[bool]] | Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while True:
            result = condition()
            if result if isinstance(result, bool) else await result:
                return
            await asyncio.sleep(0.002)


@pytest.fixture
def until() -> Callable[..., Awaitable[None]]:
    return _until
