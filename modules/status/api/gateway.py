"""The gateway: the line, its modules, queue, links, models, settings and audit trail."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Request
from starlette.responses import Response

from modules.common.verbs import CLEAR, SET
from modules.status.api import answers
from modules.status.api.asks import (
    ChangeSettings,
    Cursor,
    Limit,
    Module,
    Name,
    TheCaller,
    TheScreen,
    Who,
    answer,
    paged,
)
from modules.status.api.quick import again
from modules.status.times import now_ms

router = APIRouter(prefix="/api/v1", tags=["gateway"])


@router.get("/summary", summary="All that a first screen shows", response_model=answers.Summary)
async def summary(request: Request, screen: TheScreen) -> Response:
    """As the event `overview`."""
    return await again(request, screen.overview)


@router.get("/line", summary="Is the line all right?", response_model=answers.Line)
async def line(request: Request, screen: TheScreen) -> Response:
    """One word, one sentence, and why."""
    return await again(request, screen.line)


@router.get("/modules", summary="Modules, from their heartbeats and edgeAgent", response_model=answers.Modules)
async def modules(request: Request, screen: TheScreen) -> Response:
    """All that were heard of."""
    return await again(request, screen.members)


@router.get("/queue", summary="The queue between the modules and the cloud", response_model=answers.Queue)
async def queue(request: Request, screen: TheScreen) -> Response:
    """As the cache describes it."""
    return await again(request, screen.queue)


@router.get("/links", summary="When cloud and edgeHub were there", response_model=answers.Links)
async def links(
    request: Request,
    module: Module,
    link: Annotated[Literal["cloud", "edgeHub"] | None, Query()] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """Stretches of one state, the newest first."""

    def read() -> dict[str, Any]:
        now = now_ms()
        rows = module.links.find(link=link, before=cursor, limit=limit, now_ms=now)
        return {"now": module.links.now(now), **paged("links", rows, limit)}

    return await again(request, read)


@router.get("/latency", summary="From the deciding sample to the alert here, ms", response_model=answers.Latency)
async def latency(request: Request, screen: TheScreen) -> Response:
    """Over the newest alerts."""
    return await again(request, screen.latency)


@router.get("/models", summary="Models and how they do", response_model=answers.Models)
async def models(screen: TheScreen) -> Response:
    """As inference shows them."""
    return answer(await screen.models())


@router.get("/settings", summary="Settings applied, refused, changed here", response_model=answers.AllSettings)
async def settings(screen: TheScreen) -> Response:
    """Of every module; secrets are masked."""
    return answer({"modules": await screen.settings()})


@router.patch("/settings/{name}", summary="Change settings here", status_code=202, response_model=answers.Asked)
async def change_settings(module: Module, caller: TheCaller, name: Name, body: ChangeSettings) -> Response:
    """Over the twin, until a later version of it says otherwise; what the module refuses, it reports."""
    _known(module, name)
    arguments = {"settings": body.settings, "who": body.who, "why": body.why}
    return _asked(name, SET, module.desk.ask(name, SET, arguments, about=name, caller=caller))


@router.delete("/settings/{name}", summary="Take changes back", status_code=202, response_model=answers.Asked)
async def clear_settings(module: Module, caller: TheCaller, name: Name, who: Annotated[Who, Query()]) -> Response:
    """All that was changed here."""
    _known(module, name)
    return _asked(name, CLEAR, module.desk.ask(name, CLEAR, {"who": who}, about=name, caller=caller))


@router.get("/audit", summary="The audit trail: who did what", response_model=answers.Actions)
async def audit(module: Module, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """Actions done and refused, the newest first."""
    return answer(paged("actions", module.audit.find(before=cursor, limit=limit), limit))


def _known(module: Module, name: str) -> None:
    if name not in module.screen.roster.members:
        raise HTTPException(404, "no such module")


def _asked(target: str, verb: str, message_id: str) -> Response:
    return answer({"asked": verb, "target": target, "message_id": message_id}, 202)
