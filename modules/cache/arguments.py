"""What each verb may be told, checked once for direct methods, commands and the command line alike."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from modules.cache.store import Range

MOST_SHOWN = 100
_LONGEST_TEXT = 512


class BadArgumentsError(ValueError):
    """A verb was told something that it cannot use; the text says what and why."""


class Nothing(BaseModel):
    """No arguments."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Page(Nothing):
    """Records of a priority, the oldest first, behind seq `after`."""

    priority: Literal[0, 1, 2] = 0
    after: int = Field(0, ge=0, description="seq of the last record of the page before")
    count: int = Field(20, ge=1, le=MOST_SHOWN)


class Span(Nothing):
    """Records from `source` (a pattern: `*`, `?`, `[...]`) that were accepted from `from` to `to`, both included."""

    source: str = Field(min_length=1, max_length=_LONGEST_TEXT)
    since: AwareDatetime = Field(alias="from")
    until: AwareDatetime = Field(alias="to")

    @model_validator(mode="after")
    def _in_order(self) -> Span:
        if self.until < self.since:
            raise ValueError("`to` is before `from`")
        return self

    def range(self) -> Range:
        """As the store takes it."""
        return Range(self.source, _ms(self.since), _ms(self.until))


class Erasing(Span):
    """What to erase, and for whom."""

    who: str = Field(min_length=1, max_length=_LONGEST_TEXT, description="who asks for it; stays on record")
    why: str = Field("", max_length=_LONGEST_TEXT)


class Replaying(Span):
    """What to send again."""

    source: str = Field("*", min_length=1, max_length=_LONGEST_TEXT)


class StopReplaying(Nothing):
    """Send no more of what is being sent again."""

    stop: Literal[True]


A = TypeVar("A", bound=Nothing)


def parse(verb: str, model: type[A], payload: object) -> A:
    """Arguments from a JSON value; none, null and "" are no arguments. Raises BadArgumentsError."""
    if payload is not None and payload != "" and not isinstance(payload, Mapping):
        raise BadArgumentsError(f"{verb}: its arguments are a JSON object")
    try:
        return model.model_validate(payload or {})
    except ValidationError as error:
        found = (f"{'.'.join(map(str, e['loc'])) or 'arguments'}: {e['msg']}" for e in error.errors(include_url=False))
        raise BadArgumentsError(f"{verb}: {'; '.join(found)}") from error


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
