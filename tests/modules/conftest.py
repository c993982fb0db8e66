"""A transport played by the test: it delivers, fails, disconnects and records on command."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import pytest
from pydantic import Field

from modules.common.edge import Edge
from modules.common.messages import Message, json_message, new_id
from modules.common.settings import Settings, merge
from modules.common.transport import Delivery, Feature, Listener, MethodCall, TransportDownError
from tests.modules.sensors.parts import Opc
from tests.waiting import holds


class PlayedTransport:
    def __init__(self) -> None:
        self.connected = False
        self.session_present = False
        self.refuse = 0
        """So many attempts to connect fail."""
        self.sent: list[tuple[str, Message]] = []
        self.subscribed: list[Feature] = []
        self.desired: dict[str, object] = {"$version": 1}
        self.reported: list[Mapping[str, object]] = []
        self.twin_reported: dict[str, Any] = {}
        self.acknowledged: list[str | None] = []
        self.connection = 0
        self.pulls = 0
        self.closed = False
        self.listener: Listener | None = None
        self.before_send: Callable[[str, Message], Awaitable[None]] | None = None

    async def connect(self, listener: Listener) -> None:
        self.listener = listener
        if self.refuse:
            self.refuse -= 1
            raise TransportDownError("refused by the test")
        self.up()

    def up(self, *, session: bool = False) -> None:
        assert self.listener is not None
        self.session_present = session
        self.connected = True
        self.connection += 1
        self.listener.connection_changed(connected=True)

    def down(self) -> None:
        assert self.listener is not None
        self.connected = False
        self.listener.connection_changed(connected=False)

    async def subscribe(self, *features: Feature) -> None:
        self.subscribed += features

    async def send(self, output: str, message: Message) -> None:
        if not self.connected:
            raise TransportDownError("down")
        if self.before_send is not None:
            await self.before_send(output, message)
        self.sent.append((output, message))

    async def twin(self) -> Mapping[str, Mapping[str, object]]:
        self.pulls += 1
        return {"desired": self.desired, "reported": self.twin_reported}

    async def report(self, patch: Mapping[str, object]) -> None:
        if not self.connected:
            raise TransportDownError("down")
        self.reported.append(patch)
        self.twin_reported = merge(self.twin_reported, patch)

    async def close(self) -> None:
        self.closed = True

    # What the test does.

    def outputs(self, name: str) -> list[Message]:
        return [message for output, message in self.sent if output == name]

    def deliver(self, name: str, message: Message, **changed: str) -> None:
        connection = self.connection

        def acknowledge() -> bool:
            if connection != self.connection or not self.connected:
                return False
            self.acknowledged.append(message.message_id)
            return True

        assert self.listener is not None
        self.listener.delivered(
            Delivery(
                input=name,
                body=message.body,
                acknowledge=acknowledge,
                current=lambda: connection == self.connection and self.connected,
                message_id=message.message_id,
                content_type=message.content_type,
                content_encoding=message.content_encoding,
                properties=message.facts() | changed,
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


class Limits(Settings):
    limit: float = 10.0
    names: dict[str, int] = Field(default={})


Make = Callable[[], Any]
Play = Callable[[Any, Callable[[], Awaitable[None]]], None]
Until = Callable[[Callable[[], object]], Awaitable[None]]


class Reading(Protocol):
    def __call__(self, seq: int = 0, kind: str = "readings") -> Message: ...


@pytest.fixture
def reading() -> Reading:
    """Makes a numbered message."""

    def make(seq: int = 0, kind: str = "readings") -> Message:
        time = datetime(2026, 1, 2, tzinfo=UTC)
        return json_message({"n": seq}, kind=kind, source="press4", seq=seq, time=time, message_id=new_id())

    return make


@pytest.fixture
def transport() -> PlayedTransport:
    return PlayedTransport()


@pytest.fixture
def make_edge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transport: PlayedTransport
) -> Callable[[], Edge[Limits]]:
    monkeypatch.setenv("MILLWATCH_VIEW_PORT", "0")

    def make() -> Edge[Limits]:
        return Edge("vibration", Limits, state_dir=tmp_path, transport=transport, heartbeat_s=60)

    return make


@pytest.fixture
def until() -> Callable[[Callable[[], object]], Awaitable[None]]:
    async def wait(condition: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not holds(condition):  # noqa: ASYNC110 - what is waited for is in the code under test
                await asyncio.sleep(0.001)

    return wait


@pytest.fixture
def play(transport: PlayedTransport) -> Callable[..., None]:
    """Run an edge, the test's part beside it, then stop; whatever either raises comes out."""

    def run(edge: Edge[Limits], part: Callable[[], Awaitable[None]], seconds: float = 60.0) -> None:
        async def both() -> None:
            running = asyncio.create_task(edge.run())
            try:
                async with asyncio.timeout(seconds):
                    while not transport.pulls and not running.done():  # noqa: ASYNC110 - as above
                        await asyncio.sleep(0.001)
                    await asyncio.sleep(0.005)
                    await part()
            finally:
                edge.stop()
                await running

        asyncio.run(both())

    return run


@pytest.fixture(scope="session")
def opc() -> Iterator[Opc]:
    """An OPC UA server: it takes seconds to start, so there is one; who kills it starts it again."""
    opc = Opc()
    yield opc
    opc.process.kill()
