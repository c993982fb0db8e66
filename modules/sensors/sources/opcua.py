"""OPC UA: a subscription to nodes of one server (asyncua)."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final, Literal

from asyncua import Client, ua
from asyncua.common.node import Node
from asyncua.common.subscription import DataChangeEvent, Subscription
from pydantic import Field, field_validator

from modules.common.field.opcua import OpcServer, check_address, close, said
from modules.sensors.point import Point
from modules.sensors.sources.base import Feed, SourceError, SourceSettings

_AT_ONCE: Final = 200  # nodes of one request: small controllers refuse more
_MOST_WAITING: Final = 20_000  # more than one answer of a server can bring (10,000)
_TURN: Final = 500


class OpcUaPoint(Point):
    """A node's value."""

    address: str = Field(title="Node", description="ns=2;s=Press.Oil or nsu=urn:press;s=Oil, whatever its number is")

    @field_validator("address")
    @classmethod
    def _node(cls, address: str) -> str:
        return check_address(address)


class OpcUa(SourceSettings, OpcServer):
    """A server."""

    point: ClassVar[type[Point]] = OpcUaPoint
    answers: ClassVar[bool] = True

    type: Literal["opcua"]
    points: tuple[OpcUaPoint, ...] = Field((), title="Nodes", max_length=500)
    silence_s: Annotated[float, Field(title="Silence that is reported", ge=0, le=86_400)] = 0.0

    def make(self, points: tuple[Point, ...]) -> "OpcUaSource":
        """The source that subscribes to `points`."""
        return OpcUaSource(self, [point for point in points if isinstance(point, OpcUaPoint)])


class OpcUaSource:
    """Subscribes at one server."""

    def __init__(self, settings: OpcUa, points: list[OpcUaPoint]) -> None:
        self._settings = settings
        self._points = points

    async def run(self, feed: Feed) -> None:
        """Connect, subscribe and hand over what changes. Raises SourceError."""
        settings = self._settings
        if not self._points:
            raise SourceError("no nodes are set")
        client = settings.client()
        lost: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

        async def on_lost(error: Exception) -> None:
            if not lost.done():
                lost.set_result(error)

        client.connection_lost_callback = on_lost
        try:
            await settings.connect(client)
            nodes = await self._nodes(client)
            await self._follow(client, nodes, feed, lost)
        except (OSError, TimeoutError, ua.UaError) as error:
            raise SourceError(f"{settings.url}: {said(error)}") from error
        finally:
            await close(client)

    async def _nodes(self, client: Client) -> list[Node]:
        """The points' nodes."""
        numbers: dict[str, int] = {}
        return [await self._settings.found(client, point.address, numbers) for point in self._points]

    async def _follow(self, client: Client, nodes: list[Node], feed: Feed, lost: "asyncio.Future[Exception]") -> None:
        settings = self._settings
        intervals = [settings.interval_s if p.interval_s is None else p.interval_s for p in self._points]
        subscription = await client.create_subscription(min(intervals) * 1000, queue_maxsize=_MOST_WAITING)
        known = {node.nodeid: point for node, point in zip(nodes, self._points, strict=True)}
        for interval in sorted(set(intervals)):
            chosen = [node for node, each in zip(nodes, intervals, strict=True) if each == interval]
            for start in range(0, len(chosen), _AT_ONCE):
                part = chosen[start : start + _AT_ONCE]
                await self._subscribe(subscription, part, interval, known, feed)
        feed.connected()
        tasks = [
            asyncio.create_task(_changes(subscription, known, feed)),
            asyncio.create_task(_questions(client, nodes, known, feed)),
        ]
        try:
            waiting: list[asyncio.Future[Any]] = [*tasks, lost]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if lost.done():
                raise SourceError(f"{settings.url}: the connection was lost: {said(lost.result())}")
            for task in tasks:
                if task.done():
                    task.result()
            raise SourceError(f"{settings.url}: the subscription ended")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _subscribe(
        self,
        subscription: Subscription,
        nodes: list[Node],
        interval: float,
        known: "dict[ua.NodeId, OpcUaPoint]",
        feed: Feed,
    ) -> None:
        answers = await subscription.subscribe_data_change(nodes, queuesize=1, sampling_interval=interval * 1000)
        for node, answer in zip(nodes, answers if isinstance(answers, list) else [answers], strict=True):
            if isinstance(answer, ua.StatusCode) and not answer.is_good():
                point = known[node.nodeid]
                feed.refuse("refused")
                feed.trouble(point.name, f"{point.name}: the server says {answer.name}")


async def _changes(subscription: Subscription, known: "dict[ua.NodeId, OpcUaPoint]", feed: Feed) -> None:
    """Hand over what the subscription brings."""
    count = 0
    async for event in subscription:
        if isinstance(event, DataChangeEvent) and event.data.monitored_item.Value is not None:
            _take(known[event.node.nodeid], event.data.monitored_item.Value, feed)
        count += 1
        if count % _TURN == 0:
            await asyncio.sleep(0)  # in a flood the others have their turn


async def _questions(client: Client, nodes: list[Node], known: "dict[ua.NodeId, OpcUaPoint]", feed: Feed) -> None:
    """Read everything when somebody asks."""
    while True:
        if await feed.asked(3600):
            for start in range(0, len(nodes), _AT_ONCE):
                part = nodes[start : start + _AT_ONCE]
                values = await client.uaclient.read_attributes([node.nodeid for node in part], ua.AttributeIds.Value)
                for node, value in zip(part, values, strict=True):
                    _take(known[node.nodeid], value, feed)
            feed.answered()


def _take(point: OpcUaPoint, value: ua.DataValue, feed: Feed) -> None:
    if value.StatusCode is not None and not value.StatusCode.is_good():
        feed.refuse("bad_quality")
        return
    taken = value.SourceTimestamp
    feed.take(point, None if value.Value is None else value.Value.Value, None if taken is None else _unix(taken))


def _unix(time: datetime) -> float:
    """Unix seconds; asyncua's times are UTC without saying so."""
    return (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp()
