"""TLS on a socket, straight through OpenSSL: a record is read or written with one call.

The event loop's own TLS hands every byte through two buffers in memory, and reads into a new block of 256 KB each
time: a small packet and its answer cost it three times as much (asyncio's and uvloop's alike). Here the TLS
handshake belongs to the transport as well, so whoever listens can count, and end, the half-open ones.
"""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Callable
from typing import Final

RECORD: Final = 16_384  # the most a TLS record holds
RECORDS: Final = 16  # read or written in a row, a packet of the largest size, before others have their turn
TURN_S: Final = 0.001  # or fewer, if what is read takes time
HIGH_WATER: Final = 64 << 10  # bytes that wait for the socket, from which on the protocol should send no more
LOW_WATER: Final = 16 << 10
MOST_HELD: Final = 2 << 20  # bytes that wait for a peer that does not read: more end the connection
LINGER_S: Final = 5.0  # for what is still to be written after `close`

_WAIT = (ssl.SSLWantReadError, ssl.SSLWantWriteError)


class TlsTransport(asyncio.Transport):
    """The server's end of one connection, from accept to close; it belongs to the loop's thread.

    The protocol is told of the connection when the handshake is through; before that `broken` alone is told, with the
    error where there was one, when there will be none.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: ssl.SSLSocket,
        peer: tuple[str, int],
        protocol: asyncio.Protocol,
        broken: Callable[["TlsTransport", OSError | None], None],
    ) -> None:
        self.peer = peer[0]
        self.since = loop.time()
        self.open = False  # the handshake is through
        super().__init__({"socket": sock, "ssl_object": sock, "peername": peer})
        self._loop = loop
        self._sock = sock
        self._fd = sock.fileno()
        self._receive = sock.recv
        self._send = sock.send
        self._protocol = protocol
        self._broken = broken
        self._held = bytearray()
        self._closing = False
        self._ended = False
        self._reading = True
        self._congested = False
        loop.add_reader(self._fd, self._shake)

    def is_closing(self) -> bool:
        """Whether it is closed or will be."""
        return self._closing

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Not supported: raises NotImplementedError."""
        raise NotImplementedError

    def pause_reading(self) -> None:
        """Leave what the peer sends to the kernel, and so to the peer."""
        if self._reading and not self._ended:
            self._reading = False
            self._loop.remove_reader(self._fd)

    def resume_reading(self) -> None:
        """Read again."""
        if not self._reading and not self._closing:
            self._reading = True
            self._loop.add_reader(self._fd, self._read)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send, at once as far as the socket takes it."""
        if self._closing:
            return
        if self._held:
            self._hold(data)
            return
        try:
            sent = self._send(data)
            if sent == len(data):
                return
            data = memoryview(data)[sent:]
            while data:
                data = data[self._send(data) :]
        except _WAIT:
            self._loop.add_writer(self._fd, self._drain)
            self._hold(data)
        except OSError as error:
            self._end_soon(error)

    def close(self) -> None:
        """Read no more; end when what was written is sent, or after LINGER_S."""
        if self._closing:
            return
        self._closing = True
        self._loop.remove_reader(self._fd)
        if self._held:
            self._loop.call_later(LINGER_S, self._end, None)
        else:
            self._loop.call_soon(self._end, None)

    def abort(self) -> None:
        """End at once."""
        self._end_soon(None)

    def _shake(self) -> None:
        """Go on with the handshake."""
        try:
            self._sock.do_handshake()
        except ssl.SSLWantReadError:
            self._loop.remove_writer(self._fd)
            return
        except ssl.SSLWantWriteError:
            self._loop.add_writer(self._fd, self._shake)
            return
        except OSError as error:
            self._end(error)
            return
        self._loop.remove_writer(self._fd)
        self._loop.add_reader(self._fd, self._read)
        self.open = True
        self._protocol.connection_made(self)

    def _read(self) -> None:
        until = 0.0
        try:
            for _ in range(RECORDS):
                data = self._receive(RECORD)
                if not data:
                    self._end(None)
                    return
                self._protocol.data_received(data)
                if len(data) < RECORD or not self._reading or self._closing:
                    return
                now = time.monotonic()
                if until and now > until:
                    return
                until = until or now + TURN_S
        except _WAIT:
            return
        except OSError as error:
            self._end(error)

    def _hold(self, data: bytes | bytearray | memoryview) -> None:
        self._held += data
        if len(self._held) > MOST_HELD:
            self._end_soon(TimeoutError(f"it does not read, and {len(self._held)} bytes wait for it"))
        elif len(self._held) > HIGH_WATER and not self._congested:
            self._congested = True
            self._protocol.pause_writing()

    def _drain(self) -> None:
        """The socket takes more."""
        try:
            for _ in range(RECORDS):
                if not self._held:
                    break
                del self._held[: self._send(self._held)]
        except _WAIT:
            pass
        except OSError as error:
            self._end(error)
            return
        if not self._held:
            self._loop.remove_writer(self._fd)
            if self._closing:
                self._end(None)
                return
        if self._congested and len(self._held) < LOW_WATER:
            self._congested = False
            self._protocol.resume_writing()

    def _end_soon(self, error: OSError | None) -> None:
        """End it, but not within a call of the protocol's."""
        self._closing = True
        self._loop.call_soon(self._end, error)

    def _end(self, error: OSError | None) -> None:
        if self._ended:
            return
        self._ended = self._closing = True
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        if self.open and error is None:
            with contextlib.suppress(OSError):  # it asks for the peer's answer, which nobody waits for
                self._sock.unwrap()
        self._sock.close()
        if self.open:
            self._protocol.connection_lost(error)
        else:
            self._broken(self, error)


def wrapped(sock: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
    """A socket that was accepted, with TLS to be spoken on it; raises OSError when the peer has gone already."""
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
