"""What pages and programs ask for again and again, answered past FastAPI: its routing costs more than these answers.

The routes in gateway.py describe the same answers, and give them where a request is not plain.
"""

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, Final

from starlette.types import ASGIApp, Receive, Scope, Send

from modules.status.api.asks import answer
from modules.status.screen import Screen

READS: Final[Mapping[str, Callable[[Screen], dict[str, Any]]]] = {
    "/api/v1/summary": Screen.overview,
    "/api/v1/line": Screen.line,
    "/api/v1/modules": Screen.members,
    "/api/v1/queue": Screen.queue,
    "/api/v1/latency": Screen.latency,
}


class Quick:
    """ASGI: answers plain GETs of READS from `screen`, and passes everything else on to `app`."""

    def __init__(self, app: ASGIApp, screen: Screen) -> None:
        self._app = app
        self._screen = screen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        read = READS.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "GET" else None
        if read is None or scope["query_string"]:
            await self._app(scope, receive, send)
            return
        try:
            response = answer(read(self._screen))
        except sqlite3.Error:  # the routes say it as a problem
            await self._app(scope, receive, send)
            return
        await response(scope, receive, send)
