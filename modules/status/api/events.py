"""Server-sent events."""

from typing import Annotated

from fastapi import APIRouter, Header, HTTPException
from fastapi.responses import StreamingResponse

from modules.status.api.asks import Module
from modules.status.events import TooManyListenersError

router = APIRouter(prefix="/api/v1", tags=["events"])


@router.get(
    "/events",
    summary="Server-sent events: alert, link, overview, sensors, reset",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def events(
    module: Module, last_event_id: Annotated[str | None, Header(max_length=40)] = None
) -> StreamingResponse:
    """A listener that comes back with Last-Event-ID gets what it missed, or `reset`."""
    try:
        stream = module.events.listen(last_event_id, [("overview", module.screen.overview())])
    except TooManyListenersError:
        raise HTTPException(503, "too many listeners", {"Retry-After": "5"}) from None
    return StreamingResponse(stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
