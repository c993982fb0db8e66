"""REST: everything the page shows is here for programs too. docs/formats/status-api.md says what there is."""

import sqlite3
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import Response

from modules.common.version import VERSION
from modules.status import problems
from modules.status.api import alarms, alerts, cameras, events, gateway, sensors, session, state
from modules.status.api.document import described
from modules.status.api.quick import Understood
from modules.status.module import StatusModule
from modules.status.views import ViewError, ViewQueryError

_ASK_AGAIN: Final = {"Cache-Control": "no-cache"}
PAGE: Final = Path(__file__).parents[1] / "page"


class _Files(StaticFiles):
    """A browser asks each time whether a file has changed: one page is never made of two versions."""

    def file_response(self, *args: Any, **options: Any) -> Response:
        response = super().file_response(*args, **options)
        response.headers.update(_ASK_AGAIN)
        return response


def make_app(module: StatusModule | None) -> FastAPI:
    """The application over `module`; no guard yet, see server.py. Without a module it can only describe itself."""
    app = FastAPI(
        title="Millwatch status",
        version=VERSION,
        description="The gateway explains itself, to a person and to a program.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers={
            StarletteHTTPException: problems.http_problem,
            RequestValidationError: problems.invalid_problem,
            ViewError: problems.view_problem,
            ViewQueryError: problems.query_problem,
            LookupError: problems.lookup_problem,
            sqlite3.Error: problems.unexpected_problem,
            Exception: problems.unexpected_problem,
        },
    )
    app.state.module = module
    app.state.understood = Understood()
    parts = (state, gateway, alerts, alarms, sensors, cameras, session, events)
    app.state.routes = [route for part in parts for route in part.router.routes]
    for part in parts:
        app.include_router(part.router)
    schema: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not schema:
            schema.update(described(app))
        return schema

    app.openapi = openapi  # type: ignore[method-assign]
    app.mount("/page", _Files(directory=PAGE), name="page")

    @app.get("/", include_in_schema=False)
    async def index(_request: Request) -> FileResponse:
        return FileResponse(PAGE / "index.html", headers=_ASK_AGAIN)

    return app
