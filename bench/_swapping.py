"""The inference module on its own, fed at a steady pace by a transport that counts: for the bench of model updates."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from modules.common.edge import Edge
from modules.common.messages import Message, new_id
from modules.common.transport import Delivery, Listener
from modules.inference.engine import Engine
from modules.inference.module import InferenceModule
from modules.inference.settings import InferenceSettings


class Feed:
    """edgeHub for one module: delivers what it is given, and knows when each was acknowledged and what came of it."""

    connected = session_present = False

    def __init__(self, settings: dict[str, Any]) -> None:
        self._desired = {"settings": settings, "$version": 1}
        self._listener: Listener | None = None
        self._version = 1
        self.acknowledged: list[float] = []
        self.alerts: Counter[str] = Counter()  # by message that led to one

    async def connect(self, listener: Listener) -> None:
        """At once."""
        self._listener, self.connected = listener, True
        listener.connection_changed(connected=True)

    async def subscribe(self, *_features: object) -> None:
        """Everything is delivered."""

    async def send(self, output: str, message: Message) -> None:
        """Count alerts by what led to them."""
        if output == "alerts" and message.trace_id and not str(message.document().get("rule")).endswith("drift"):
            self.alerts[message.trace_id] += 1

    async def twin(self) -> Mapping[str, Mapping[str, object]]:
        """The settings it began with."""
        return {"desired": self._desired, "reported": {}}

    async def report(self, _patch: Mapping[str, object]) -> None:
        """Nobody reads it."""

    async def close(self) -> None:
        """There is nothing to close."""

    def change(self, **settings: object) -> None:
        """A desired patch."""
        assert self._listener is not None
        self._version += 1
        self._listener.desired_changed({"settings": settings, "$version": self._version})

    def deliver(self, picture: bytes) -> str:
        """One picture; its id."""
        assert self._listener is not None
        message = Message(
            body=picture, kind="frame", source="camera/line", seq=0, time=datetime.now(UTC), message_id=new_id()
        )

        def acknowledge() -> bool:
            self.acknowledged.append(time.perf_counter())
            return True

        self._listener.delivered(
            Delivery("frames", picture, acknowledge, lambda: True, message.message_id, None, None, message.facts())
        )
        return message.message_id


class Line:
    """A module at work, and its feed."""

    def __init__(self, state: Path, settings: dict[str, Any]) -> None:
        self.feed = Feed(settings)
        self.engine, self.challengers = Engine(), Engine()
        self._edge = Edge("inference", InferenceSettings, state_dir=state, transport=self.feed, heartbeat_s=60)
        self.module = InferenceModule(self._edge, self.engine, self.challengers)
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._running = asyncio.create_task(self._edge.run())
        await self.until(lambda: self.version)
        return self

    async def __aexit__(self, *_what: object) -> None:
        self._edge.stop()
        assert self._running is not None
        await self._running

    @property
    def version(self) -> str | None:
        """Of the model at work."""
        entry = self.module.loading.entries.get("steel")
        return entry.card.version if entry is not None and entry.card is not None else None

    async def until(self, condition: Any) -> None:
        """Wait for what the module does by itself."""
        async with asyncio.timeout(600):
            while not condition():  # noqa: ASYNC110 - as the docstring says
                await asyncio.sleep(0.005)

    async def pace(self, picture: bytes, rate: float, stop: asyncio.Event) -> list[str]:
        """Deliver `rate` pictures a second, on the dot, until told to stop; their ids.

        A machine that cannot keep up is not buried: with a second of them unanswered the pace waits.
        """
        ids: list[str] = []
        came, due = len(self.feed.acknowledged), time.perf_counter()
        while not stop.is_set():
            await self.until(lambda: len(ids) + came - len(self.feed.acknowledged) < rate)
            ids.append(self.feed.deliver(picture))
            due = max(due + 1 / rate, time.perf_counter())
            await asyncio.sleep(due - time.perf_counter())
        await self.until(lambda: len(self.feed.acknowledged) >= came + len(ids))
        return ids
