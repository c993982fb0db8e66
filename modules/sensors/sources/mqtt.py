"""MQTT: topics of a plain broker (paho-mqtt, which the modules' SDK brings)."""

import asyncio
import contextlib
import re
import time
from collections import deque
from collections.abc import Callable
from typing import Annotated, ClassVar, Final, Literal, Self

from paho.mqtt import client as paho
from pydantic import Field, model_validator

from modules.common.field.mqtt import Broker
from modules.sensors.payload import PayloadPoint, hand_over
from modules.sensors.point import NAME, Point
from modules.sensors.sources.base import Feed, SourceError, SourceSettings

_MOST_WAITING: Final = 20_000  # messages between paho's thread and the event loop; then the oldest go
_CONNECT_S: Final = 10.0

_Came = tuple[str, bytes, float]


class MqttPoint(PayloadPoint):
    """A topic. With a wildcard it is many points: `{1}` in the name is what the first wildcard stands for."""

    @model_validator(mode="after")
    def _topic(self) -> Self:
        parts = self.address.split("/")
        if "#" in parts[:-1] or any(len(part) > 1 and set(part) & {"+", "#"} for part in parts):
            raise ValueError("+ and # stand for a whole level, # for the last")
        return self

    name: str = Field(
        title="Name",
        description="with {1}, {2} for the topic's wildcards",
        pattern=r"^[A-Za-z0-9{][A-Za-z0-9\-:./_{}]{0,199}$",
    )


class Mqtt(SourceSettings, Broker):
    """A broker."""

    point: ClassVar[type[Point]] = MqttPoint

    type: Literal["mqtt"]
    points: tuple[MqttPoint, ...] = Field((), title="Topics", max_length=500)
    qos: Literal[0, 1] = Field(1, title="Quality of service")
    retained: bool = Field(False, title="Retained messages", description="old values of an unknown time: left out")
    interval_s: Annotated[float, Field(title="Interval", ge=0, le=86_400)] = 0.1

    def make(self, points: tuple[Point, ...]) -> "MqttSource":
        """The source that subscribes to `points`."""
        return MqttSource(self, [point for point in points if isinstance(point, MqttPoint)])


class MqttSource:
    """Subscribes at one broker. paho runs in a thread of its own; what comes is handed to the event loop."""

    def __init__(self, settings: Mqtt, points: list[MqttPoint]) -> None:
        self._settings = settings
        self._topics = _Topics(points)

    async def run(self, feed: Feed) -> None:
        """Connect, subscribe and hand over what comes. Raises SourceError."""
        if not self._topics.filters:
            raise SourceError("no topics are set")
        session = _Session(self._settings, self._topics.filters)
        try:
            await session.begin()
            feed.connected()
            for text in session.refused:
                feed.trouble(text, f"the broker refuses {text}")
            while True:
                for topic, payload, came in await session.next():
                    for point in self._topics.points(topic, feed):
                        hand_over(point, payload, feed, came)
                feed.refuse("flood", session.take_lost())
        finally:
            await session.end()


class _Topics:
    """Which points a topic belongs to."""

    def __init__(self, points: list[MqttPoint]) -> None:
        self.filters: Final = sorted({point.address for point in points})
        self._points = points
        self._known: dict[str, list[MqttPoint]] = {}

    def points(self, topic: str, feed: Feed) -> list[MqttPoint]:
        found = self._known.get(topic)
        if found is None:
            if len(self._known) >= _MOST_WAITING:  # topics come from outside: memory stays flat
                self._known.clear()
            found = [named(point, topic) for point in self._points if paho.topic_matches_sub(point.address, topic)]
            self._known[topic] = found
        usable = [point for point in found if re.match(NAME, point.name)]
        feed.refuse("bad_name", len(found) - len(usable))
        return usable


def named(point: MqttPoint, topic: str) -> MqttPoint:
    """The point of one topic: `{1}` in its name is what the first wildcard stands for."""
    if "{" not in point.name:
        return point
    name, parts, number = point.name, topic.split("/"), 0
    for index, part in enumerate(point.address.split("/")):
        if part in ("+", "#"):
            number += 1
            stands_for = parts[index] if part == "+" else "/".join(parts[index:])
            name = name.replace(f"{{{number}}}", stands_for)
    return point.model_copy(update={"name": name})


class _Session:
    """One connection. Callbacks run in paho's thread and touch nothing but what is said to be theirs."""

    def __init__(self, settings: Mqtt, filters: list[str]) -> None:
        self._settings, self._filters = settings, filters
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._subscribed = asyncio.Event()
        self._came: deque[_Came] = deque(maxlen=_MOST_WAITING)  # appended to by the thread, popped from by the loop
        self._lost = 0  # the thread's
        self._told_lost = 0
        self._told = False
        self._ended: str | None = None
        self.refused: list[str] = []
        self._client = self._make()

    def _make(self) -> paho.Client:
        client = self._settings.client()
        client.on_connect, client.on_subscribe = self._on_connect, self._on_subscribe
        client.on_disconnect, client.on_message = self._on_disconnect, self._on_message
        return client

    async def begin(self) -> None:
        settings = self._settings
        where = settings.where
        try:
            await asyncio.to_thread(self._client.connect, settings.host, settings.port, settings.keepalive_s)
        except (OSError, ValueError) as error:
            raise SourceError(f"no connection to {where}: {error}") from error
        self._client.loop_start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CONNECT_S):
                await self._subscribed.wait()
        if self._ended is not None:
            raise SourceError(f"{where}: {self._ended}")
        if not self._subscribed.is_set():
            raise SourceError(f"{where}: no answer within {_CONNECT_S:g} s")

    async def next(self) -> list[_Came]:
        """What has come, as soon as something has. Raises SourceError when the connection is gone."""
        await self._wake.wait()
        self._wake.clear()
        self._told = False
        if self._ended is not None:
            raise SourceError(f"{self._settings.where}: {self._ended}")
        return [self._came.popleft() for _ in range(len(self._came))]

    def take_lost(self) -> int:
        """How many messages were too many since the last call."""
        lost = self._lost - self._told_lost
        self._told_lost += lost
        return lost

    async def end(self) -> None:
        client = self._client
        # Without callbacks nothing refers back to here: the client, and its sockets with it, are freed at once.
        client.on_connect = client.on_subscribe = client.on_message = client.on_disconnect = None
        client.disconnect()
        await asyncio.to_thread(client.loop_stop)

    # In paho's thread.

    def _on_connect(self, client: paho.Client, _user: object, _flags: object, code: int) -> None:
        if code:
            self._end(f"the broker says: {paho.connack_string(code)}")
        else:
            client.subscribe([(each, self._settings.qos) for each in self._filters])

    def _on_subscribe(self, _client: paho.Client, _user: object, _mid: int, granted: tuple[int, ...]) -> None:
        self.refused = [each for each, code in zip(self._filters, granted, strict=False) if code >= 128]
        self._tell(self._subscribed.set)

    def _on_disconnect(self, _client: paho.Client, _user: object, code: int) -> None:
        self._end(f"the connection was lost: {paho.error_string(code)}")

    def _on_message(self, _client: paho.Client, _user: object, message: paho.MQTTMessage) -> None:
        if message.retain and not self._settings.retained:
            return
        if len(self._came) == _MOST_WAITING:
            self._lost += 1
        self._came.append((message.topic, message.payload, time.time()))
        if not self._told:  # one wake-up for all that comes until the loop looks
            self._told = True
            self._tell(self._wake.set)

    def _end(self, why: str) -> None:
        self._ended = self._ended or why
        self._tell(self._subscribed.set)
        self._tell(self._wake.set)

    def _tell(self, what: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to tell
            self._loop.call_soon_threadsafe(what)
