"""The server side of a control socket: JSON handlers served inside the process' own event loop.

A handler is `async def handler(call: Call) -> object`; what it returns becomes JSON (msgspec: dataclasses, structs,
datetimes and bytes are fine). An async iterator becomes one JSON document a line, sent as they come. `Refused` is the
answer that is not 2xx. Nothing here ticks: an idle server sleeps in its selector.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from localhub.control.sockets import listening, peer_pid

PEER_PID = "pid"  # marks the client address that carries a peer's process id


class Refused(Exception):
    """Raised by a handler to answer with `status` and `{"message": text}`."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Call:
    """One request as a handler sees it. `peer` is the process id of the caller where the system tells it."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    raw: bytes
    peer: int | None

    @property
    def body(self) -> Any:
        """The JSON body, `None` when it is empty.

        Raises Refused(400) when it is not JSON. The content type is not looked at: the Python SDK sends none.
        """
        if not self.raw.strip():
            return None
        try:
            return msgspec.json.decode(self.raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Refused(400, f"the body is not JSON: {error}") from error

    def field(self, name: str) -> Any:
        """One field of the JSON body; raises Refused(400) when it is missing."""
        body = self.body
        if not isinstance(body, dict) or name not in body:
            raise Refused(400, f"the body must be a JSON object with the field {name!r}")
        return body[name]


Handler = Callable[[Call], Awaitable[object]]


def route(method: str, path: str, handler: Handler, *, status: int = 200) -> Route:
    """A route of the control app; `status` is the HTTP status of success (204 sends no body)."""

    async def endpoint(request: Request) -> Response:
        client = request.scope.get("client")
        peer = int(client[1]) if client and client[0] == PEER_PID else None
        call = Call(request.path_params, request.query_params, await request.body(), peer)
        try:
            result = await handler(call)
        except Refused as refusal:
            return _json({"message": str(refusal)}, refusal.status)
        if isinstance(result, AsyncIterator):
            return StreamingResponse(_lines(result), media_type="application/x-ndjson")
        return Response(status_code=204) if status == 204 else _json(result, status)

    return Route(path, endpoint, methods=[method])


def get(path: str, handler: Handler) -> Route:
    """GET `path`."""
    return route("GET", path, handler)


def post(path: str, handler: Handler) -> Route:
    """POST `path`."""
    return route("POST", path, handler)


def patch(path: str, handler: Handler) -> Route:
    """PATCH `path`."""
    return route("PATCH", path, handler)


def put(path: str, handler: Handler) -> Route:
    """PUT `path`."""
    return route("PUT", path, handler)


def application(*routes: Route) -> Starlette:
    """The app of a process. Unknown paths answer 404 in JSON like everything else."""

    async def refused(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return _json({"message": error.detail}, error.status_code)

    return Starlette(routes=routes, exception_handlers={HTTPException: refused})


@contextlib.asynccontextmanager
async def serving(app: Starlette, path: Path, *, mode: int = 0o600) -> AsyncIterator[None]:
    """Serve `app` on the Unix socket `path` while the block runs; only this user may connect unless `mode` says more.

    A socket left by a dead process is replaced. Raises FileExistsError when a living one answers there, and
    ValueError when the path is too long for the system.
    """
    with listening(path, mode=mode) as listener:
        async with serving_on(app, listener):
            yield


@contextlib.asynccontextmanager
async def serving_on(app: Starlette, listener: socket.socket) -> AsyncIterator[None]:
    """Serve `app` on a socket that already listens (any family) while the block runs."""

    class PeerProtocol(H11Protocol):
        """HTTP that tells the application who called: on a Unix socket the client is (PEER_PID, process id)."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            pid = peer_pid(transport.get_extra_info("socket"))
            if pid is not None:
                self.client = (PEER_PID, pid)

    class Server(uvicorn.Server):
        """uvicorn without its signal handlers (the process has its own) and without its ten ticks a second."""

        stop: asyncio.Event

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

        async def main_loop(self) -> None:
            await self.stop.wait()

    config = uvicorn.Config(
        app,
        http=PeerProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        date_header=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    server = Server(config)
    server.stop = asyncio.Event()
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.stop.set()
        server.should_exit = server.force_exit = True
        await task


async def serve(app: Starlette, path: Path) -> NoReturn:
    """Serve `app` on `path` until cancelled."""
    async with serving(app, path):
        await asyncio.Event().wait()
    raise AssertionError("unreachable: the wait above ends by cancellation only")


def _json(document: object, status: int) -> Response:

    return Response(msgspec.json.encode(document), status_code=status, media_type="application/json")


async def _lines(documents: AsyncIterator[object]) -> AsyncIterator[bytes]:
    async for document in documents:
        yield msgspec.json.encode(document) + b"\n"
