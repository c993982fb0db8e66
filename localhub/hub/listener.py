"""The door: connections are taken in, and those that never say who they are cannot fill it.

A *stranger* is a connection without a CONNECT that was let in. There are at most MOST_STRANGERS; for one more the
oldest of the address that has the most of them has to go. So a flood from one address pushes out itself.
"""

import asyncio
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from typing import Final

from localhub.hub.contexts import explain
from localhub.hub.tls import TlsTransport, wrapped
from localhub.hub.troubles import Handshakes

log = logging.getLogger(__name__)

MOST_STRANGERS: Final = 64
ACCEPTED_AT_ONCE: Final = 4  # a handshake is the dearest thing that a client can ask for
HANDSHAKE_WITHIN_S: Final = 10.0
PAUSE_S: Final = 1.0  # when the system has no more sockets
BACKLOG: Final = 128


class Listener:
    """Accepts TLS connections on one address; belongs to the loop's thread."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        context: ssl.SSLContext,
        protocol: Callable[[], asyncio.Protocol],
        handshakes: Handshakes,
    ) -> None:
        self._loop = loop
        self._context = context
        self._protocol = protocol
        self._handshakes = handshakes
        self._strangers: dict[TlsTransport, None] = {}  # in the order of arrival
        self._socket: socket.socket | None = None

    def open(self, address: str, port: int) -> None:
        """Listen; raises OSError when the port cannot be had."""
        made = socket.socket()
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((address, port))
            made.listen(BACKLOG)
            made.setblocking(False)
        except OSError:
            made.close()
            raise
        self._socket = made
        self._resume()

    def close(self) -> None:
        """Listen no more, and send the strangers away."""
        if self._socket is not None:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None
        strangers, self._strangers = self._strangers, {}
        for transport in strangers:
            transport.abort()

    def admitted(self, transport: asyncio.BaseTransport) -> None:
        """It is no stranger any more: it was let in, or is gone."""
        self._strangers.pop(transport, None)  # type: ignore[call-overload]  # any transport may ask

    def check(self) -> None:
        """End handshakes that take too long: called every second or so."""
        now = self._loop.time()
        for transport in list(self._strangers):
            if not transport.open and now - transport.since > HANDSHAKE_WITHIN_S:
                transport.abort()

    def _resume(self) -> None:
        if self._socket is not None:
            self._loop.add_reader(self._socket.fileno(), self._accept)

    def _accept(self) -> None:
        assert self._socket is not None
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                plain, peer = self._socket.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                log.error("no more connections can be taken in (%s); they wait", error)  # noqa: TRY400 - no bug of ours
                self._loop.remove_reader(self._socket.fileno())
                self._loop.call_later(PAUSE_S, self._resume)
                return
            self._welcome(plain, peer)

    def _welcome(self, plain: socket.socket, peer: tuple[str, int]) -> None:
        try:
            sock = wrapped(plain, self._context)
        except OSError:
            plain.close()  # it has gone again already
            return
        transport = TlsTransport(self._loop, sock, peer, self._protocol(), self._failed)
        if len(self._strangers) >= MOST_STRANGERS:
            self._make_room()
        self._strangers[transport] = None

    def _make_room(self) -> None:
        addresses = Counter(transport.peer for transport in self._strangers)
        most = max(addresses.values())
        oldest = next(transport for transport in self._strangers if addresses[transport.peer] == most)
        del self._strangers[oldest]
        oldest.abort()
        self._handshakes.flooded(oldest.peer, most)

    def _failed(self, transport: TlsTransport, error: OSError | None) -> None:
        known = transport in self._strangers
        self.admitted(transport)
        if known:  # not one that had to make room
            self._handshakes.failed(explain(error) if isinstance(error, ssl.SSLError) else None)
