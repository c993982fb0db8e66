"""REST: everything the page shows is here for programs too. docs/formats/status-api.md says what there is."""

import sqlite3
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException as StarletteHTTPException

from modules.common.version import VERSION
from modules.status import problems
from modules.status.api import alerts, cameras, events, gateway, sensors, session, state
from modules.status.api.document import described
from modules.status.module import StatusModule
from modules.status.views import ViewError, ViewQueryError

PAGE: Final = Path(__file__).parents[1] / "page"


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
    parts = (state, gateway, alerts, sensors, cameras, session, events)
    app.state.routes = [route for part in parts for route in part.router.routes]
    for part in parts:
        app.include_router(part.router)
    schema: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not schema:
            schema.update(described(app))
        return schema

    app.openapi = openapi  # type: ignore[method-assign]
    app.mount("/page", StaticFiles(directory=PAGE), name="page")

    @app.get("/", include_in_schema=False)
    async def index(_request: Request) -> FileResponse:
        return FileResponse(PAGE / "index.html", headers={"Cache-Control": "no-cache"})

    return app
