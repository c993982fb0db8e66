"""Raw MQTT clients that load a broker: QoS 1 over TLS, and so cheap that the broker is what is measured.

A sender keeps WINDOW messages unacknowledged; a receiver acknowledges at once. Every body begins with the message's
number, and a receiver that misses one, or gets them out of order, ends the benchmark.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass
from struct import Struct
from typing import cast

from localhub.wire import writer
from localhub.wire.packets import Connect

WINDOW = 16  # what edgeHub takes unacknowledged from one client
NUMBER = "########"
CONNACK_BYTES = 4
SUBACK_BYTES = 5

_NUMBERED = Struct(">HI")


class LoadError(Exception):
    """What was measured did not do its work."""


@dataclass(frozen=True)
class Login:
    """How a client introduces itself."""

    client_id: str
    username: str = ""
    password: str = ""

    def packet(self) -> bytes:
        """CONNECT."""
        name, secret = self.username or None, self.password.encode() or None
        return writer.connect(Connect(self.client_id, clean_session=False, username=name, password=secret))


class Client(asyncio.Protocol):
    """Connects; `ready` is done once the client can do its part, and fails if it never can."""

    def __init__(self, login: Login) -> None:
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = loop.create_future()
        self.done: asyncio.Future[None] = loop.create_future()
        self.login = login
        self.transport: asyncio.Transport
        self.held = b""
        self._accepted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self.transport = cast("asyncio.Transport", transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.transport.write(self.login.packet())

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        if self.held:
            data, self.held = self.held + data, b""
        if not self._accepted:
            if len(data) < CONNACK_BYTES:
                self.held = data
                return
            if data[3]:
                self.ready.set_exception(LoadError(f"{self.login.client_id} was refused with code {data[3]}"))
                return
            self._accepted = True
            data = data[CONNACK_BYTES:]
            self.accepted()
        if data:
            self.received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        for future in (self.ready, self.done):
            if not future.done():
                future.set_exception(LoadError(f"{self.login.client_id} lost its connection: {exc}"))
                future.exception()  # seen, whether somebody waits for it or not

    def accepted(self) -> None:
        """CONNACK came."""

    def received(self, data: bytes) -> None:
        """Bytes behind CONNACK came."""


class Sender(Client):
    """Publishes numbered messages to one topic; NUMBER in it becomes the message's number."""

    def __init__(self, login: Login, topic: str, size: int) -> None:
        super().__init__(login)
        whole = writer.publish(topic.encode(), bytes(size), 1, 1)
        self._before = whole[: -size - 2].split(NUMBER.encode())
        self._body = bytes(size - 4)
        self.sent = self.acknowledged = self._limit = 0

    def accepted(self) -> None:
        """Nothing more is needed."""
        self.ready.set_result(None)

    def send(self, count: int) -> asyncio.Future[None]:
        """Send so many more; done when all are acknowledged."""
        self.done = asyncio.get_running_loop().create_future()
        self._limit = self.sent + count
        self._fill()
        return self.done

    def received(self, data: bytes) -> None:
        """Only PUBACKs come: four bytes each."""
        count, rest = divmod(len(data), 4)
        if data[0] != 0x40:
            self.done.set_exception(LoadError(f"{self.login.client_id} got {data[0]:#x} where PUBACK was due"))
            return
        self.held = data[len(data) - rest :] if rest else b""
        self.acknowledged += count
        if self.acknowledged < self._limit:
            self._fill()
        elif not self.done.done():
            self.done.set_result(None)

    def _fill(self) -> None:
        parts: list[bytes] = []
        for _ in range(min(WINDOW - (self.sent - self.acknowledged), self._limit - self.sent)):
            self.sent += 1
            before = (b"%08d" % self.sent).join(self._before)
            parts += (before, _NUMBERED.pack(self.sent % 65_535 + 1, self.sent), self._body)
        if parts:
            self.transport.write(b"".join(parts))


class Receiver(Client):
    """Subscribes to one filter, acknowledges all it gets, and checks the numbers."""

    def __init__(self, login: Login, topic_filter: str) -> None:
        super().__init__(login)
        self._filter = topic_filter
        self._subscribed = False
        self.last = self._limit = 0

    def accepted(self) -> None:
        """Subscribe."""
        self.transport.write(writer.subscribe(1, [(self._filter, 1)]))

    def receive(self, count: int) -> asyncio.Future[None]:
        """Done when so many more have come."""
        self.done = asyncio.get_running_loop().create_future()
        self._limit += count
        self._check()
        return self.done

    def received(self, data: bytes) -> None:
        """SUBACK first, then messages."""
        if not self._subscribed:
            if len(data) < SUBACK_BYTES:
                self.held = data
                return
            self._subscribed = True
            self.ready.set_result(None)
            data = data[SUBACK_BYTES:]
        at, size = 0, len(data)
        acknowledgements = []
        while size - at >= 5:
            body, length, shift = at + 1, data[at + 1] & 0x7F, 7
            while data[body] & 0x80:
                body += 1
                length |= (data[body] & 0x7F) << shift
                shift += 7
            body += 1
            if body + length > size:
                break
            behind = body + 2 + (data[body] << 8 | data[body + 1])
            number = int.from_bytes(data[behind + 2 : behind + 6], "big")
            if number != self.last + 1:
                self.done.set_exception(LoadError(f"{self.login.client_id} got {number} after {self.last}"))
                self.transport.abort()
                return
            self.last = number
            acknowledgements.append(b"@\x02" + data[behind : behind + 2])
            at = body + length
        self.held = data[at:]
        if acknowledgements:
            self.transport.write(b"".join(acknowledgements))
        self._check()

    def _check(self) -> None:
        if self.last >= self._limit and not self.done.done():
            self.done.set_result(None)


async def connected(clients: list[Client], host: str, port: int, context: ssl.SSLContext) -> None:
    """Connect clients and wait until each is ready."""
    loop = asyncio.get_running_loop()
    for client in clients:
        await loop.create_connection(lambda client=client: client, host, port, ssl=context, server_hostname=host)  # type: ignore[misc]
    async with asyncio.timeout(10):
        await asyncio.gather(*(client.ready for client in clients))
