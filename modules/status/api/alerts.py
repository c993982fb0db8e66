"""Alerts: find them, take care of them, say whether they were right."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from starlette.responses import Response

from modules.status.api import answers
from modules.status.api.asks import (
    Cursor,
    Judge,
    Limit,
    Module,
    Name,
    Severity,
    Signed,
    State,
    Text,
    TheCaller,
    TheDesk,
    Time,
    answer,
    milliseconds,
    paged,
)
from modules.status.api.quick import again
from modules.status.kept import Filter

router = APIRouter(prefix="/api/v1/alerts", tags=["alerts"])
Flag = Annotated[bool | None, Query()]


@router.get("", summary="Alerts, the newest first", response_model=answers.Alerts)
async def alerts(
    request: Request,
    module: Module,
    source: Annotated[str | None, Query(max_length=200, description="Begins with")] = None,
    severity: Severity | None = None,
    state: State | None = None,
    by: Annotated[str | None, Query(max_length=200, alias="module", description="The module that raised it")] = None,
    rule: Text = None,
    acknowledged: Flag = None,
    resolved: Flag = None,
    judged: Flag = None,
    since: Time = None,
    until: Time = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """All of the filters must hold."""
    wanted = Filter(
        source=source,
        severity=severity,
        state=state,
        module=by,
        rule=rule,
        acknowledged=acknowledged,
        resolved=resolved,
        judged=judged,
        since_ms=milliseconds(since),
        until_ms=milliseconds(until),
        before=cursor,
        limit=limit,
    )

    async def read() -> dict[str, Any]:
        found = []
        for part in module.alerts.find(wanted):
            found += part
            await asyncio.sleep(0)  # an alert that comes in waits neither for a long search nor a long page
        return paged("alerts", found, limit)

    return await again(request, read)


@router.get("/{alert_id}", summary="One alert", response_model=answers.Alert)
async def alert(module: Module, alert_id: Name) -> Response:
    """By its message id."""
    found = module.alerts.get(alert_id)
    if found is None:
        raise HTTPException(404, "no such alert")
    return answer(found)


@router.post("/{alert_id}/acknowledge", summary="Somebody takes care of it", response_model=answers.Alert)
async def acknowledge(desk: TheDesk, caller: TheCaller, alert_id: Name, body: Signed) -> Response:
    """The first name stays."""
    return answer(desk.acknowledge(alert_id, body.who, body.why, caller))


@router.post("/{alert_id}/resolve", summary="It is over, people here say", response_model=answers.Alert)
async def resolve(desk: TheDesk, caller: TheCaller, alert_id: Name, body: Signed) -> Response:
    """The first name stays. It stands again when its module reports it again."""
    return answer(desk.resolve(alert_id, body.who, body.why, caller))


@router.post("/{alert_id}/verdict", summary="Was it right?", response_model=answers.Alert)
async def verdict(desk: TheDesk, caller: TheCaller, alert_id: Name, body: Judge) -> Response:
    """The module that raised it is told; the last word stays."""
    return answer(desk.judge(alert_id, body.verdict, body.who, body.why, caller))
