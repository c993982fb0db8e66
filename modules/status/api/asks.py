"""What REST is asked: bodies, parameters, and how a request finds the module."""

import asyncio
import re
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import orjson
from fastapi import Depends, Path, Query, Request
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from starlette.responses import Response
from typing_extensions import TypeAliasType

from modules.status.desk import Caller, Desk
from modules.status.guard import CALLER
from modules.status.kept.alerts import Judgement
from modules.status.module import StatusModule
from modules.status.screen import Screen

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d")
Line = StringConstraints(strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]*$")
Who = Annotated[str, Line, Field(min_length=1, max_length=80, examples=["Ada"])]
Why = Annotated[str, Line, Field(max_length=400, examples=["bearing ordered, shutdown at 14:00"])]
Name = Annotated[str, Path(min_length=1, max_length=200)]
Source = Annotated[str, Path(min_length=1, max_length=400, examples=["press3/vibration-velocity"])]
Text = Annotated[str | None, Query(max_length=200)]


def _written(value: object) -> object:
    if isinstance(value, str) and not _DATE.match(value):
        raise ValueError("not a time as 2026-01-02T03:04:05Z")
    return value


def _encodable(text: str) -> str:
    """JSON can name half a character (a lone surrogate), which no message can carry: UnicodeEncodeError, so 422."""
    text.encode()
    return text


Time = Annotated[
    Annotated[AwareDatetime, BeforeValidator(_written)] | None,
    Query(description="RFC 3339", examples=["2026-01-02T03:04:05.678Z"]),
]
Cursor = Annotated[int | None, Query(ge=1, le=2**53, description="`next` of the page before")]
Limit = Annotated[int, Query(ge=1, le=1000)]


class Ask(BaseModel):
    """A field that is not known is an error, not a typo that passes; so is a truth value where a number belongs."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)


class Signed(Ask):
    """An action with somebody's name."""

    who: Who
    why: Why = ""


class Judge(Signed):
    """Whether the alert was right."""

    verdict: Judgement


class TryOut(Ask):
    """An output of the alarms module that is to be tried out; none: all."""

    who: Who
    output: str | None = Field(None, pattern=r"^[A-Za-z0-9_-]{1,64}$", examples=["horn"])


class Threshold(Signed):
    """A threshold for a camera's gate."""

    threshold: float | None = Field(
        ge=1, le=255, examples=[12.5], description="grey levels; null takes back what was set here"
    )


# What a twin can hold; a larger whole number goes on as the nearest float.
_Whole = Annotated[int, Field(ge=-(2**52), le=2**52)]
_Real = Annotated[float, Field(allow_inf_nan=False)]
_Words = Annotated[str, AfterValidator(_encodable)]
Json = TypeAliasType("Json", "bool | _Whole | _Real | _Words | list[Json] | dict[_Words, Json] | None")


class ChangeSettings(Signed):
    """A change of a module's settings, here on the gateway."""

    settings: dict[_Words, Json] = Field(
        min_length=1, description="As in the twin; null takes a change back", examples=[{"sample_share": 0.1}]
    )


class Login(Ask):
    """A token, typed in once."""

    token: str = Field(min_length=1, max_length=512, examples=["the content of the file tokens/operate"])


# Coroutines, though they wait for nothing: FastAPI would run plain functions in threads, at ten times the cost.
async def the_module(request: Request) -> StatusModule:
    """The module that the application serves."""
    await asyncio.sleep(0)  # between reading what is asked and finding it, an alert may go first
    found = request.app.state.module
    assert isinstance(found, StatusModule)
    return found


async def the_screen(request: Request) -> Screen:
    """What can be asked."""
    return (await the_module(request)).screen


async def the_desk(request: Request) -> Desk:
    """What can be done."""
    return (await the_module(request)).desk


async def the_caller(request: Request) -> Caller:
    """Who asks, as the guard has found."""
    found = request.scope.get(CALLER)
    return found if isinstance(found, Caller) else Caller("none", "")


Module = Annotated[StatusModule, Depends(the_module)]
TheScreen = Annotated[Screen, Depends(the_screen)]
TheDesk = Annotated[Desk, Depends(the_desk)]
TheCaller = Annotated[Caller, Depends(the_caller)]
Severity = Literal["info", "warning", "critical"]
State = Literal["raised", "updated", "cleared"]


def answer(value: object, status: int = 200) -> Response:
    """A value as JSON."""
    return Response(orjson.dumps(value), status, media_type="application/json")


def paged(name: str, rows: list[dict[str, Any]], limit: int) -> dict[str, Any]:
    """A page of rows that have a `number`, and the cursor of the next."""
    return {name: rows, "next": rows[-1]["number"] if len(rows) == limit else None}


def milliseconds(moment: datetime | None) -> int | None:
    """Unix milliseconds of a parameter."""
    return None if moment is None else round(moment.timestamp() * 1000)
