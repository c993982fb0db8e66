"""Sensors: a list, and one in detail. Pulled from vibration while somebody looks."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from modules.status.api import answers
from modules.status.api.asks import Limit, Source, TheScreen, answer

router = APIRouter(prefix="/api/v1/sensors", tags=["sensors"])


@router.get("", summary="Sensors: newest value, limit, state, trend", response_model=answers.Sensors)
async def sensors(
    screen: TheScreen,
    match: Annotated[str, Query(max_length=200, description="The name contains it")] = "",
    cursor: Annotated[int, Query(ge=0, le=10_000_000, description="`next` of the page before")] = 0,
    limit: Limit = 100,
) -> Response:
    """The worst first."""
    shown = await screen.sensors(limit=limit, offset=cursor, match=match)
    end = cursor + len(shown["sensors"])
    more = bool(shown["sensors"]) and end < shown["matching"]
    return answer({**shown, "next": end if more else None})


@router.get("/{source:path}/windows", summary="The last window and its readings", response_model=answers.Windows)
async def windows(screen: TheScreen, source: Source) -> Response:
    """Figures and curve of one sensor."""
    return answer(await screen.windows(source))


@router.get("/{source:path}/spectrum", summary="Spectra with fault orders", response_model=answers.Spectrum)
async def spectrum(screen: TheScreen, source: Source) -> Response:
    """Of a waveform sensor."""
    return answer(await screen.views.json("vibration", "spectrum", {"source": source}))


@router.get("/{source:path}", summary="One sensor", response_model=answers.Sensor)
async def sensor(screen: TheScreen, source: Source) -> Response:
    """As vibration shows it."""
    return answer(await screen.views.json("vibration", "sensor", {"source": source}))
