"""A cache module before an edgeHub that passes everything on, or holds it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from modules.cache import drain as drain_module
from modules.cache import module as cache_module
from modules.cache import watch as watch_module
from modules.cache.hubqueue import HubQueue, Lengths
from modules.cache.module import CacheModule
from modules.cache.settings import CacheSettings
from modules.cache.store.house import House
from modules.common.edge import Edge
from modules.common.messages import Message
from modules.common.transport import Delivery, Feature, Listener, MethodCall


class PlayedTransport:
    """What carries the module's messages, played by the test."""

    session_present = False

    def __init__(self) -> None:
        self.connected = False
        self.sent: list[tuple[str, Message]] = []
        self.subscribed: list[Feature] = []
        self.reported: list[Mapping[str, object]] = []
        self.acknowledged: list[str | None] = []
        self.listener: Listener | None = None

    async def connect(self, listener: Listener) -> None:
        self.listener = listener
        self.connected = True
        listener.connection_changed(connected=True)

    async def subscribe(self, *features: Feature) -> None:
        self.subscribed += features

    async def send(self, output: str, message: Message) -> None:
        self.sent.append((output, message))

    async def twin(self) -> Mapping[str, Mapping[str, object]]:
        return {"desired": {"$version": 1}, "reported": {}}

    async def report(self, patch: Mapping[str, object]) -> None:
        self.reported.append(patch)

    async def close(self) -> None:
        self.connected = False

    def outputs(self, name: str) -> list[Message]:
        return [message for output, message in self.sent if output == name]

    def deliver(self, name: str, message: Message) -> None:
        def acknowledge() -> bool:
            self.acknowledged.append(message.message_id)
            return True

        assert self.listener is not None
        self.listener.delivered(
            Delivery(
                input=name,
                body=message.body,
                acknowledge=acknowledge,
                current=lambda: self.connected,
                message_id=message.message_id,
                content_type=message.content_type,
                content_encoding=message.content_encoding,
                properties=message.facts(),
            )
        )

    def patch(self, patch: Mapping[str, object]) -> None:
        assert self.listener is not None
        self.listener.desired_changed(patch)

    async def call(self, name: str, payload: object = None) -> tuple[int, object]:
        answer: asyncio.Future[tuple[int, object]] = asyncio.get_running_loop().create_future()

        async def respond(status: int, result: object) -> None:
            answer.set_result((status, result))

        assert self.listener is not None
        self.listener.method_called(MethodCall(name, payload, respond))
        return await answer


class Line:
    """A running cache before an edgeHub that passes everything on, or holds it."""

    def __init__(self, house: House, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MILLWATCH_VIEW_PORT", "0")
        for name in ("_MARK_AFTER_S", "_AGAIN_S"):
            monkeypatch.setattr(drain_module, name, 0.005)
        for name in ("_FIRST_LOOK_S", "_LONGEST_LOOK_S"):
            monkeypatch.setattr(watch_module, name, 0.005)
        monkeypatch.setattr(cache_module, "_AGAIN_S", 0.01)
        monkeypatch.setattr(cache_module, "_FIGURES_S", 0.02)
        self.waiting = 0

        async def read(_hub: HubQueue) -> Lengths:
            return Lengths({0: self.waiting, 1: self.waiting, 2: self.waiting}, "1", 0.0)

        monkeypatch.setattr(HubQueue, "read", read)
        self.transport = PlayedTransport()
        self.edge = Edge("cache", CacheSettings, state_dir=folder, transport=self.transport, heartbeat_s=60)
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
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 -- what is waited for knows no event
            await asyncio.sleep(0.002)


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    return _until


@pytest.fixture
def line(house: House, monkeypatch: pytest.MonkeyPatch) -> Line:
    return Line(house, house.root, monkeypatch)
