"""A question that its route has understood is answered past FastAPI when it is asked again in the same words.

Pages and programs ask for the same few things again and again, and to route and parse such a request costs more than
most of the answers do.
"""

import sqlite3
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any, Final

from fastapi import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from modules.status.api.asks import answer

MOST: Final = 200
LONGEST: Final = 200  # bytes of a query
Read = Callable[[], Any | Awaitable[Any]]
"""What is there now, as JSON; the whole answer to one path and query, whoever asks."""


class Understood:
    """At most MOST questions; of more, those that were not asked for longest are forgotten."""

    def __init__(self) -> None:
        self._reads: dict[tuple[str, bytes], Read] = {}

    def __len__(self) -> int:
        return len(self._reads)

    def find(self, scope: Scope) -> Read | None:
        """How to answer; None for what was not asked before."""
        if scope["type"] != "http" or scope["method"] != "GET":
            return None
        key = scope["path"], scope["query_string"]
        if (read := self._reads.pop(key, None)) is not None:
            self._reads[key] = read  # the one asked last stands last
        return read

    def keep(self, scope: Scope, read: Read) -> None:
        """For the next time."""
        if len(scope["query_string"]) <= LONGEST:
            self._reads[scope["path"], scope["query_string"]] = read
            if len(self._reads) > MOST:
                del self._reads[next(iter(self._reads))]


async def again(request: Request, read: Read) -> Response:
    """The answer of a route of GET, which is given past FastAPI from now on."""
    response = await _answered(read)
    understood = request.app.state.understood
    assert isinstance(understood, Understood)
    understood.keep(request.scope, read)
    return response


async def _answered(read: Read) -> Response:
    value = read()
    return answer(await value if isawaitable(value) else value)


class Quick:
    """ASGI: answers what `understood` has, and passes everything else on to `app`."""

    def __init__(self, app: ASGIApp, understood: Understood) -> None:
        self._app = app
        self._understood = understood

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if (read := self._understood.find(scope)) is None:
            await self._app(scope, receive, send)
            return
        try:
            response = await _answered(read)
        except sqlite3.Error:  # the routes say it as a problem
            await self._app(scope, receive, send)
            return
        await response(scope, receive, send)
