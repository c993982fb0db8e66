"""REST: everything the page shows is here for programs too."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from fastapi import FastAPI, Header, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException as StarletteHTTPException

from modules.common.metrics import CONTENT_TYPE
from modules.common.version import VERSION
from modules.status import models
from modules.status.book import Filter
from modules.status.events import TooManyListenersError
from modules.status.module import StatusModule
from modules.status.problems import http_problem, problem, unexpected_problem
from modules.status.views import ViewError

PAGE: Final = Path(__file__).parent / "page"
_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    code: {"model": models.Problem, "content": {"application/problem+json": {}}}
    for code in (400, 401, 404, 413, 421, 422, 503)
}
_PICTURES: Final = frozenset({"image/jpeg", "image/png"})


def make_app(module: StatusModule) -> FastAPI:
    """The application over `module`; no guard yet, see server.py."""
    app = FastAPI(
        title="Millwatch status",
        version=VERSION,
        description="The gateway explains itself, to a person and to a program.",
        docs_url=None,
        redoc_url=None,
        responses=_ERRORS,
        exception_handlers={
            StarletteHTTPException: http_problem,
            RequestValidationError: _invalid,
            ViewError: _no_view,
            LookupError: _not_found,
            sqlite3.Error: unexpected_problem,
            Exception: unexpected_problem,
        },
    )
    _add_state(app, module)
    _add_reading(app, module)
    _add_details(app, module)
    _add_acting(app, module)
    app.mount("/page", StaticFiles(directory=PAGE), name="page")

    @app.get("/", include_in_schema=False)
    async def index() -> FileResponse:
        return FileResponse(PAGE / "index.html", headers={"Cache-Control": "no-cache"})

    return app


def _add_state(app: FastAPI, module: StatusModule) -> None:
    @app.get("/healthz", summary="Is this process alive?")
    async def healthz() -> Response:
        return JSONResponse({"status": "pass", "version": VERSION}, media_type="application/health+json")

    @app.get("/readyz", summary="Does it do its work? Offline is ready, with a warning.")
    async def readyz() -> Response:
        checks: dict[str, list[dict[str, str]]] = {}
        try:
            module.book.counts()
            checks["alerts:store"] = [{"status": "pass"}]
        except sqlite3.Error:
            checks["alerts:store"] = [{"status": "fail"}]
        checks["edgeHub:connection"] = [{"status": "pass" if module.edge.connected else "warn"}]
        link = module.queue()["link"]
        checks["cloud:link"] = [{"status": "warn" if link in ("down", "unknown") else "pass", "output": str(link)}]
        found = {each["status"] for entries in checks.values() for each in entries}
        status = next(each for each in ("fail", "warn", "pass") if each in found)
        return JSONResponse(
            {"status": status, "version": VERSION, "checks": checks},
            503 if status == "fail" else 200,
            media_type="application/health+json",
        )

    @app.get("/metrics", summary="Prometheus text", response_class=PlainTextResponse)
    async def metrics() -> Response:
        return Response(module.edge.metrics.render(), media_type=CONTENT_TYPE)


def _add_reading(app: FastAPI, module: StatusModule) -> None:
    @app.get("/api/v1/line", summary="Is the line all right?")
    async def line() -> models.Line:
        return models.Line(**module.line())

    @app.get("/api/v1/modules", summary="Modules, from their heartbeats")
    async def modules() -> models.Modules:
        return models.Modules.model_validate({"modules": module.modules()})

    @app.get("/api/v1/alerts", summary="Alerts, the newest first")
    async def alerts(
        source: Annotated[str | None, Query(max_length=200, description="Begins with")] = None,
        severity: Literal["info", "warning", "critical"] | None = None,
        state: Literal["raised", "updated", "cleared"] | None = None,
        acknowledged: bool | None = None,  # noqa: FBT001 - a query parameter has a name
        before: Annotated[int | None, Query(ge=1, le=2**62, description="Page down: the last page's next")] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> models.Alerts:
        found = module.book.find(Filter(source, severity, state, acknowledged, before, limit))
        following = found[-1]["number"] if len(found) == limit else None
        return models.Alerts.model_validate({"alerts": found, "next": following})

    @app.get("/api/v1/alerts/{alert_id}", summary="One alert")
    async def alert(alert_id: str) -> models.AlertOut:
        found = module.book.get(alert_id)
        if found is None:
            raise HTTPException(404, "no such alert")
        return models.AlertOut(**found)

    @app.get("/api/v1/queue", summary="The queue between the modules and the cloud")
    async def queue() -> models.Queue:
        return models.Queue(**module.queue())

    @app.get("/api/v1/latency", summary="From the deciding sample to the alert here, ms")
    async def latency() -> models.Latency:
        return models.Latency(**module.latency())

    @app.get("/api/v1/events", summary="Server-sent events: alert, overview, sensors, resync")
    async def events(
        request: Request, last_event_id: Annotated[str | None, Header(max_length=40)] = None
    ) -> StreamingResponse:
        try:
            stream = module.events.listen(last_event_id, [("overview", module.overview())])
        except TooManyListenersError:
            raise HTTPException(503, "too many listeners") from None
        return StreamingResponse(
            _until_gone(request, stream),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )


def _add_details(app: FastAPI, module: StatusModule) -> None:
    @app.get("/api/v1/cameras", summary="Cameras and where their last pictures are")
    async def cameras() -> models.Cameras:
        return models.Cameras.model_validate({"cameras": module.cameras()})

    @app.get("/api/v1/cameras/{name}/picture", summary="The last picture", response_class=Response)
    async def picture(name: str) -> Response:
        for camera in module.cameras():
            if camera["name"] == name:
                content_type, body = await module.views.get(camera["module"], "last.jpg", {"camera": name})
                if content_type not in _PICTURES:
                    raise ViewError("what the camera shows is no picture")
                return Response(body, media_type=content_type, headers={"Cache-Control": "no-store"})
        raise HTTPException(404, "no such camera")

    @app.get("/api/v1/sensors", summary="Sensors: newest value, limit, state, trend")
    async def sensors() -> models.Sensors:
        return models.Sensors.model_validate(await module.sensors())

    @app.get("/api/v1/sensors/{source:path}", summary="One sensor in detail")
    async def sensor(source: str) -> Any:
        return await module.views.json("vibration", "sensor", {"source": source})


def _add_acting(app: FastAPI, module: StatusModule) -> None:
    @app.post("/api/v1/alerts/{alert_id}/acknowledge", summary="Somebody takes care of it")
    async def acknowledge(alert_id: str, body: models.Acknowledge) -> models.AlertOut:
        try:
            return models.AlertOut(**module.acknowledge(alert_id, body.who, body.why))
        except LookupError:
            raise HTTPException(404, "no such alert") from None

    @app.post("/api/v1/cameras/{name}/capture", summary="A picture now, please", status_code=202)
    async def capture(name: str) -> models.Command:
        for camera in module.cameras():
            if camera["name"] == name:
                return models.Command(
                    asked="captureNow", message_id=module.command(camera["module"], "captureNow", {"camera": name})
                )
        raise HTTPException(404, "no such camera")

    @app.get("/api/v1/actions", summary="The audit trail: who did what")
    async def actions(limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> dict[str, list[dict[str, str]]]:
        return {"actions": module.book.actions(limit)}


async def _until_gone(request: Request, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for text in stream:
        if await request.is_disconnected():
            return
        yield text


async def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    said = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
    return problem(422, "Not understood", said[:500])


async def _no_view(_request: Request, error: Exception) -> Response:
    return problem(503, "No view", str(error))


async def _not_found(_request: Request, _error: Exception) -> Response:
    return problem(404, "Not found")
