"""Is it alive, is it ready, what does it count."""

import sqlite3
from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from modules.common.metrics import CONTENT_TYPE
from modules.common.version import VERSION
from modules.status.api import answers
from modules.status.api.asks import Module

router = APIRouter(tags=["state"])
_HEALTH = "application/health+json"


class HealthResponse(JSONResponse):
    """A health document (draft-inadarei-api-health-check)."""

    media_type = _HEALTH


@router.get("/healthz", summary="Is this process alive?", response_model=answers.Health, response_class=HealthResponse)
async def healthz() -> Response:
    """Whether the event loop turns."""
    return HealthResponse({"status": "pass", "version": VERSION})


@router.get(
    "/readyz",
    summary="Does it do its work? Offline is ready, with a warning.",
    response_model=answers.Health,
    response_class=HealthResponse,
)
async def readyz(module: Module) -> Response:
    """Whether alerts can be kept, and what is away."""
    checks: dict[str, list[dict[str, str]]] = {}
    try:
        module.alerts.check()
        checks["alerts:store"] = [{"status": "warn" if module.database.set_aside else "pass"}]
    except sqlite3.Error:
        checks["alerts:store"] = [{"status": "fail"}]
    checks["edgeHub:connection"] = [{"status": "pass" if module.edge.connected else "warn"}]
    link = str(module.screen.queue()["link"])
    checks["cloud:link"] = [{"status": "warn" if link in ("down", "unknown") else "pass", "output": link}]
    if module.certificate_ends is not None:
        checks["tls:certificate"] = [{"status": "pass", "output": module.certificate_ends}]
    found = {each["status"] for entries in checks.values() for each in entries}
    status = next(each for each in ("fail", "warn", "pass") if each in found)
    document: dict[str, Any] = {"status": status, "version": VERSION, "checks": checks}
    return HealthResponse(document, 503 if status == "fail" else 200)


@router.get(
    "/metrics", summary="Prometheus text", response_class=Response, responses={200: {"content": {"text/plain": {}}}}
)
async def metrics(module: Module) -> Response:
    """What this module counts."""
    return Response(module.edge.metrics.render(), media_type=CONTENT_TYPE)
