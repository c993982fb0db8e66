"""Server-sent events."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Request
from fastapi.responses import StreamingResponse
from starlette.types import Send

from modules.status.api.asks import Module
from modules.status.events import TooManyListenersError
from modules.status.patience import WIRE, PatientProtocol

router = APIRouter(prefix="/api/v1", tags=["events"])


class _Events(StreamingResponse):
    """Begun and ended as any answer, but each event goes straight to its connection.

    Through all layers an event costs each listener three times as much, and an alert is told to all of them.
    """

    def __init__(self, stream: AsyncIterator[bytes], wire: PatientProtocol) -> None:
        super().__init__(stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
        self._stream = stream
        self._wire = wire

    async def stream_response(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for text in self._stream:
            await self._wire.write_chunk(text)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


@router.get(
    "/events",
    summary="Server-sent events: alert, link, overview, sensors, reset",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def events(
    module: Module, request: Request, last_event_id: Annotated[str | None, Header(max_length=40)] = None
) -> StreamingResponse:
    """A listener that comes back with Last-Event-ID gets what it missed, or `reset`."""
    if request.scope["http_version"] != "1.1":
        raise HTTPException(505, "events come in chunks, which HTTP/1.0 does not know")
    try:
        stream = module.events.listen(last_event_id, [("overview", module.screen.overview())])
    except TooManyListenersError:
        raise HTTPException(503, "too many listeners", {"Retry-After": "5"}) from None
    return _Events(stream, request.scope["state"][WIRE])
