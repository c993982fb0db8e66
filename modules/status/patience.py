"""How long a client may take: uvicorn's HTTP protocol with an end to waiting.

uvicorn waits for ever for a head or a body that trickles in, and for a client that does not read its answer: a hundred
such clients would keep everybody else out. It also keeps a head of any length, and all that is asked before the first
answer has gone out.
"""

import asyncio
from collections import Counter
from typing import Any, ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

REQUEST_SECONDS: Final = 10.0
"""From the first moment of a connection, or the answer before, until the whole request is there."""
READ_SECONDS: Final = 20.0
"""For which a client may leave an answer unread."""
WIRE: Final = "millwatch.wire"
"""Where the state of a request's scope holds its PatientProtocol."""
CONNECTIONS_EACH: Final = 128
"""Of one client: its pictures, streams and requests, and what it has left open."""
LARGEST_HEAD: Final = 65_536
"""Bytes before it is known what is asked. Of whole heads the guard takes smaller ones only, and says so."""
AHEAD: Final = 8
"""Requests that may wait for the answer to the one before."""


class RefusedError(ValueError):
    """What a client sends is not answered by the application."""


class PatientProtocol(HttpToolsProtocol):
    """Ends the connection of a client that is too slow, sends too much, or has too many."""

    by_client: ClassVar[Counter[str]] = Counter()

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._late: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._whole = False  # whether all of the newest request has come
        self._heading: int | None = 0  # bytes of a head that is not whole
        self._counted = ""
        self.app_state = {**self.app_state, WIRE: self}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client came."""
        super().connection_made(transport)
        self._counted = self.client[0] if self.client else ""
        self.by_client[self._counted] += 1
        if self.by_client[self._counted] > CONNECTIONS_EACH:
            transport.abort()
            return
        self._wait_for_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """It went."""
        for timer in (self._late, self._unread):
            if timer is not None:
                timer.cancel()
        self.by_client[self._counted] -= 1
        if self.by_client[self._counted] <= 0:
            del self.by_client[self._counted]
        # Or each connection that has gone would hold itself until the garbage collector looks.
        self.app_state.pop(WIRE, None)
        if self.scope is not None:
            self.scope["state"].pop(WIRE, None)
        super().connection_lost(exc)

    async def write_chunk(self, data: bytes) -> None:
        """Write a part of an answer that is under way in chunks, once the client has read enough of what went before.

        Nothing is written to a client that has gone.
        """
        if self.flow.write_paused:
            await self.flow.drain()
        if not self.transport.is_closing():
            self.transport.write(b"%x\r\n%b\r\n" % (len(data), data))

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if self._heading is not None:
            self._heading += len(data)
        super().data_received(data)
        if self._heading is not None and self._heading > LARGEST_HEAD:
            self.send_400_response("The head has no end.")

    def on_message_begin(self) -> None:
        """A request begins. Raises RefusedError, which the parser makes a refusal of."""
        if len(self.pipeline) >= AHEAD:
            raise RefusedError("too many requests ahead of their answers")
        self._whole = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is whole. Raises RefusedError for a target that names another host than the guard would look at."""
        self._heading = None
        if not self.url.startswith(b"/"):
            raise RefusedError("a request's target is a path")
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All of it is there: the wait is over."""
        super().on_message_complete()
        self._whole, self._heading = True, 0
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def on_response_complete(self) -> None:
        """An answer went out; the next request may come."""
        more = bool(self.pipeline)
        super().on_response_complete()
        if not self.transport.is_closing() and not (more and self._whole):
            self._wait_for_request()

    def pause_writing(self) -> None:
        """The client does not read."""
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(READ_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """It reads again."""
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _wait_for_request(self) -> None:
        if self._late is not None:
            self._late.cancel()
        self._late = self.loop.call_later(REQUEST_SECONDS, self._end)

    def _end(self) -> None:
        self._late = None
        self.transport.abort()
