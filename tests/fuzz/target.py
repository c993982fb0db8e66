"""What is fuzzed: bytes as a client may send them, through the parser and a connection of a real broker.

The first byte of an input says how the rest is fed: whether the client has logged in before, and in pieces of which
size. `Target.feed` raises AssertionError when something other than the protocol's own refusal comes of it, or more is
held in memory than may be.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, cast

from localhub.hub.backlog import Place
from localhub.hub.broker import Broker, Client
from localhub.hub.clock import Clock
from localhub.hub.connection import MAX_PENDING, Connection
from localhub.hub.login import Verifier
from localhub.hub.message import Entry, QueuedMessage
from localhub.hub.metrics import Metrics
from localhub.hub.store import Batch, Recovered, Store
from localhub.wire import bag, packets, writer
from localhub.wire.packets import (
    MAX_PACKET,
    PUBACK,
    Acknowledge,
    Bare,
    Connect,
    Packet,
    Publish,
    Subscribe,
    Unsubscribe,
)
from localhub.wire.parser import Parser, ProtocolError

PIECES = (1 << 20, 1, 2, 3, 7, 64, 1_000, 16_384)
MOST_PIECES = 500
LOGGED_IN = 0x80
LOGIN = writer.connect(Connect("gw1/alpha", 4, False, 60, "hub/gw1/alpha/?api-version=2019-10-01", b"token"))
ENDPOINT = "gw1/beta/in"
ROUNDS = 4  # of the loop after an input: what it started is done by then


class Disk:
    """A store that keeps nothing and is quick."""

    untidy = False
    wait_s = 0.0

    def recover(self) -> Recovered:
        return Recovered([], {}, {}, 1)

    def apply(self, _batch: Batch) -> list[tuple[int, int, int]]:
        return []

    def fetch(self, *_facts: object, **_more: object) -> list[Entry]:
        return []

    def tidy(self) -> None:
        """Nothing to do."""

    def fact(self, _name: str) -> None:
        return None


class Everywhere:
    """A router that sends all to one input."""

    def places(self, _message: QueuedMessage) -> Sequence[Place]:
        return [Place(ENDPOINT, 0)]


class Nobody:
    """Services and uplink that do nothing, and a verifier that trusts everybody."""

    def on_connect(self, client: Client) -> None:
        """Nothing."""

    def on_subscribe(self, client: Client, topic_filter: str) -> None:
        """Nothing."""

    def on_publish(self, client: Client, topic: str, payload: bytes) -> None:
        """Nothing."""

    def on_disconnect(self, client: Client) -> None:
        """Nothing."""

    def verify(self, *_facts: object) -> None:
        """Nothing."""

    async def send(self, batch: list[QueuedMessage]) -> None:
        """Nothing."""

    async def up(self) -> None:
        """Nothing."""


class Wire(asyncio.Transport):
    """A socket that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.reading = True
        self.closed = False

    def is_closing(self) -> bool:
        return self.closed

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Target:
    """A broker on a loop of its own, which stands still between inputs."""

    def __init__(self) -> None:
        logging.disable(logging.CRITICAL)
        self._loop = asyncio.new_event_loop()
        self._failures: list[dict[str, Any]] = []
        self._loop.set_exception_handler(lambda _loop, facts: self._failures.append(facts))
        self._broker = self._loop.run_until_complete(self._made())
        self._loop.run_until_complete(self._warm())
        self.refused = 0
        self.packets = 0

    def close(self) -> None:
        """Stop the broker's thread."""
        self._loop.run_until_complete(self._broker.commits.stop())
        self._loop.close()
        logging.disable(logging.NOTSET)

    def feed(self, data: bytes) -> None:
        """One input."""
        if not data:
            return
        way, stream = data[0], data[1:]
        piece = max(PIECES[way % len(PIECES)], len(stream) // MOST_PIECES)
        whole = parsed(stream, len(stream) + 1)
        assert parsed(stream, piece) == whole, f"in pieces of {piece} bytes it is something else"
        self.packets += len(whole[0])
        self.refused += whole[1] is not None
        for packet in whole[0]:
            if isinstance(packet, Publish):
                check_publish(packet)
        if way & LOGGED_IN:
            acknowledged = self._converse(LOGIN + stream, piece)
            due, ended = to_acknowledge(whole[0])
            assert acknowledged == (due[: len(acknowledged)] if ended or whole[1] is not None else due)
        else:
            self._converse(stream, piece)

    def _converse(self, stream: bytes, piece: int) -> list[int]:
        """Say it all to the broker; the packet ids of its PUBACKs."""
        connection, wire = Connection(self._broker), Wire()
        connection.connection_made(wire)
        for at in range(0, len(stream), piece):
            if wire.closed:
                break
            connection.data_received(stream[at : at + piece])
            assert connection._pending <= MAX_PENDING
            assert held(connection._parser) <= max(MAX_PACKET, piece) + piece
            while not wire.reading and not connection._broken:
                self._rounds()
        for _ in range(len(stream)):
            if connection._broken or not (connection._pending or connection._blocked):
                break
            self._rounds()
        self._rounds()
        assert connection._pending == 0, "some were never acknowledged"
        assert len(wire.written) <= 64 + 16 * len(stream), "the answers are out of proportion"
        connection.connection_lost(None)
        self._rounds()
        if ENDPOINT in self._broker.backlog.endpoints:
            self._broker.backlog.forget(ENDPOINT)
        for client in [*self._broker.sessions._stored]:
            self._broker.sessions.forget(client)
        self._rounds()
        assert not self._failures, self._failures
        answers, refused = parsed(bytes(wire.written), 1 << 20)
        assert refused is None
        return [one.packet_id for one in answers if isinstance(one, Acknowledge) and one.kind == PUBACK]

    def _rounds(self) -> None:
        for _ in range(ROUNDS):
            self._loop.call_soon(self._loop.stop)
            self._loop.run_forever()

    async def _made(self) -> Broker:
        nobody = Nobody()
        broker = Broker(
            gateway="gw1",
            store=cast("Store", Disk()),
            verifier=cast("Verifier", nobody),
            router=Everywhere(),
            services=nobody,
            uplink=nobody,
            metrics=Metrics("hub", "gw1", lambda: 1000.0),
            clock=Clock(lambda: 1000.0),
        )
        broker.commits.start()
        return broker

    async def _warm(self) -> None:
        """Commit until the loop itself does it."""
        while self._broker.commits._wait_s >= 0.0005:
            await self._broker.commits.durable()


def parsed(stream: bytes, piece: int) -> tuple[list[Packet], str | None]:
    """The packets of a stream that comes in pieces, and why it was refused, if it was."""
    parser, found = Parser(), []
    try:
        for at in range(0, len(stream), piece):
            parser.feed(stream[at : at + piece])
            while (packet := parser.next()) is not None:
                found.append(packet)
    except ProtocolError as error:
        return found, str(error)
    assert parser._needed <= MAX_PACKET, "it waits for more than a packet may hold"
    return found, None


def to_acknowledge(said: list[Packet]) -> tuple[list[int], bool]:
    """The ids that PUBACKs are due for, in order; and whether something ends the connection before all is said."""
    due = []
    for packet in said:
        match packet:
            case Publish(qos=0) | Subscribe() | Unsubscribe() | Bare(kind=packets.PINGREQ):
                pass
            case Publish(qos=1, packet_id=number):
                due.append(number)
            case Acknowledge(kind=packets.PUBACK):
                pass
            case _:
                return due, True
    return due, False


def held(parser: Parser) -> int:
    """The bytes that a parser holds."""
    return len(parser._data) + len(parser._partial)


def check_publish(packet: Publish) -> None:
    """A message is the same after it was written and read again, and so is its bag."""
    flags = {"dup": packet.dup, "retain": packet.retain}
    again = writer.publish(packet.topic.encode(), packet.payload, packet.qos, packet.packet_id, **flags)
    if len(again) <= MAX_PACKET:
        assert parsed(again, len(again)) == ([packet], None)
    decoded = bag.decode(packet.topic.rpartition("/")[2])
    pairs = [*decoded.properties.items(), *decoded.system.items()]
    assert decoded.characters == sum(len(key) + len(value) for key, value in pairs)
    if decoded.forwarded is not None:
        forwarded = bag.decode(decoded.forwarded)
        assert forwarded.properties == decoded.properties
        assert forwarded.system.items() <= decoded.system.items()
