"""The module's own small HTTP server: `/metrics` for Prometheus, `/view/...` for whoever looks at details right now.

Details (spectra, frames, queue tables) are not pushed through edgeHub: status pulls them here. `/metrics` is open on
the module network, as edgeHub's own is, and so is `/healthz`, which the image's health check asks; `/view` needs the
token that the module's heartbeat carries. GET only.
"""

import asyncio
import contextlib
import hmac
import inspect
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

log = logging.getLogger(__name__)

Answer = tuple[str, bytes]
ViewHandler = Callable[[Mapping[str, str]], Answer | Awaitable[Answer]]

_HEAD_LIMIT: Final = 16_384
_CONNECTIONS: Final = 32
_SECONDS: Final = 10.0


class _RefusedError(Exception):
    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class ViewServer:
    """Serves `handlers` by path below `/view/`, and `metrics()` at `/metrics`.

    A handler gets the query as a mapping and returns content type and body. It raises LookupError for what does not
    exist (404) and ValueError for a query that makes no sense (400).
    """

    def __init__(self, metrics: Callable[[], bytes], *, host: str, port: int, name: str) -> None:
        self.token: Final = secrets.token_urlsafe(24)
        self.handlers: dict[str, ViewHandler] = {}
        self._metrics = metrics
        self._host = host
        self._port = port
        self._name = name
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where other modules find it: by module name in a container, by address as a process."""
        host = self._name if self._host in ("0.0.0.0", "::", "") else self._host  # noqa: S104 - compared, not bound
        return f"http://{host}:{self._port}"

    async def start(self) -> None:
        """Listen. Raises OSError with the address when the port is taken."""
        self._server = await asyncio.start_server(self._serve, self._host, self._port, limit=_HEAD_LIMIT)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and drop what is open."""
        if self._server is not None:
            self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            if len(self._open) <= _CONNECTIONS:
                while await self._one(reader, writer):
                    pass
        except (TimeoutError, asyncio.CancelledError):
            writer.transport.abort()  # the one who asked is too slow, or we stop: what is unsent would hold us up
        except (OSError, EOFError, asyncio.LimitOverrunError):
            pass  # the one who asked went away, or asks for too much: nobody is left to tell
        finally:
            self._open.discard(task)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether the connection may be used again."""
        async with asyncio.timeout(_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
        keep = False
        try:
            method, target, headers = _parse(head)
            keep = headers.get("connection", "").lower() != "close" and "content-length" not in headers
            content_type, body = await self._answer(method, target, headers)
            status = HTTPStatus.OK
        except _RefusedError as refusal:
            status, content_type, body = refusal.status, "text/plain", refusal.status.phrase.encode()
        writer.write(
            f"HTTP/1.1 {status} {status.phrase}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
            f"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
            f"Connection: {'keep-alive' if keep else 'close'}\r\n\r\n".encode()
        )
        writer.write(body)
        async with asyncio.timeout(_SECONDS):
            await writer.drain()
        return keep

    async def _answer(self, method: str, target: str, headers: Mapping[str, str]) -> Answer:
        if method != "GET":
            raise _RefusedError(HTTPStatus.METHOD_NOT_ALLOWED)
        parts = urlsplit(target)
        path = unquote(parts.path)
        if path == "/metrics":
            return "text/plain; version=0.0.4; charset=utf-8", self._metrics()
        if path == "/healthz":
            return "text/plain", b"ok"  # that it answers is the news: the event loop turns
        if not path.startswith("/view/"):
            raise _RefusedError(HTTPStatus.NOT_FOUND)
        given = headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            raise _RefusedError(HTTPStatus.UNAUTHORIZED)
        handler = self.handlers.get(path.removeprefix("/view/"))
        if handler is None:
            raise _RefusedError(HTTPStatus.NOT_FOUND)
        try:
            answer = handler(dict(parse_qsl(parts.query, keep_blank_values=True)))
            return await answer if inspect.isawaitable(answer) else answer
        except LookupError as error:
            raise _RefusedError(HTTPStatus.NOT_FOUND) from error
        except ValueError as error:
            raise _RefusedError(HTTPStatus.BAD_REQUEST) from error
        except Exception as error:  # a view that fails must not take the module with it
            log.exception("view %s failed", path)
            raise _RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR) from error


def _parse(head: bytes) -> tuple[str, str, dict[str, str]]:
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise _RefusedError(HTTPStatus.BAD_REQUEST)
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return words[0], words[1], headers
