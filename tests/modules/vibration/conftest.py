"""The vibration module with edgeHub played by the test."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from modules.common.edge import Edge
from modules.common.messages import Message
from modules.common.transport import Delivery, Feature, Listener, MethodCall, TransportDownError
from modules.vibration.module import VibrationModule
from modules.vibration.settings import VibrationSettings


@dataclass
class Hub:
    """Delivers what the test gives and keeps what the module sends. Implements Transport."""

    connected: bool = False
    session_present: bool = True
    sent: list[tuple[str, Message]] = field(default_factory=list)
    acknowledged: list[str | None] = field(default_factory=list)
    desired: dict[str, object] = field(default_factory=lambda: {"$version": 1})
    reported: list[Mapping[str, object]] = field(default_factory=list)
    refuse: str | None = None
    """An output on which sending fails with an error."""
    pulled: asyncio.Event = field(default_factory=asyncio.Event)
    listener: Listener | None = None

    async def connect(self, listener: Listener) -> None:
        self.listener = listener
        self.connected = True
        listener.connection_changed(connected=True)

    async def subscribe(self, *_features: Feature) -> None:
        pass

    async def send(self, output: str, message: Message) -> None:
        if not self.connected:
            raise TransportDownError("down")
        if output == self.refuse:
            self.refuse = None
            raise OSError("the test says no")
        self.sent.append((output, message))

    async def twin(self) -> Mapping[str, Mapping[str, object]]:
        self.pulled.set()
        return {"desired": self.desired, "reported": {}}

    async def report(self, patch: Mapping[str, object]) -> None:
        self.reported.append(patch)

    async def close(self) -> None:
        self.connected = False

    # What the test does.

    def outputs(self, name: str) -> list[Message]:
        return [message for output, message in self.sent if output == name]

    def documents(self, name: str) -> list[dict[str, Any]]:
        return [orjson.loads(message.body) for message in self.outputs(name)]

    async def deliver(self, name: str, *messages: Message) -> None:
        """Deliver in order and wait until all are acknowledged."""
        assert self.listener is not None
        wanted = len(self.acknowledged) + len(messages)
        for message in messages:
            self.listener.delivered(
                Delivery(
                    input=name,
                    body=message.body,
                    acknowledge=lambda message=message: self._acknowledge(message),  # type: ignore[misc]
                    current=lambda: True,
                    message_id=message.message_id,
                    content_type=message.content_type,
                    content_encoding=message.content_encoding,
                    properties=message.facts(),
                )
            )
        async with asyncio.timeout(60):
            while len(self.acknowledged) < wanted:  # noqa: ASYNC110 - what is waited for is in the code under test
                await asyncio.sleep(0.001)

    def _acknowledge(self, message: Message) -> bool:
        self.acknowledged.append(message.message_id)
        return True

    async def call(self, name: str, payload: object) -> tuple[int, object]:
        answer: asyncio.Future[tuple[int, object]] = asyncio.get_running_loop().create_future()

        async def respond(status: int, result: object) -> None:
            answer.set_result((status, result))

        assert self.listener is not None
        self.listener.method_called(MethodCall(name, payload, respond))
        return await answer


Part = Callable[[Hub, Edge[VibrationSettings]], Awaitable[None]]


@pytest.fixture
def run_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Hub]:
    """Run the module while `part` plays edgeHub; `kill` ends it as SIGKILL would: without its orderly stop."""
    monkeypatch.setenv("MILLWATCH_VIEW_PORT", "0")

    def run(part: Part, *, kill: bool = False, clock: Callable[[], float] | None = None, **desired: object) -> Hub:
        async def both() -> Hub:
            hub = Hub(desired={"$version": 1, "settings": desired})
            edge = Edge("vibration", VibrationSettings, state_dir=tmp_path, transport=hub, heartbeat_s=60)
            VibrationModule(edge, **({"clock": clock} if clock else {}))
            running = asyncio.create_task(edge.run())
            async with asyncio.timeout(60):
                await hub.pulled.wait()
                await asyncio.sleep(0.01)
                try:
                    await part(hub, edge)
                finally:
                    if kill:
                        edge._on_stop.clear()
                    edge.stop()
                    await running
            return hub

        return asyncio.run(both())

    return run
