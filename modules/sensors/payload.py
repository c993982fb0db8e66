"""Values in the payloads of MQTT and CoAP: a number, a place in JSON, samples, or SenML. Pure."""

import math
import struct
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

import orjson
from pydantic import Field, model_validator

from modules.common.messages import BadMessage, Reading, senml
from modules.sensors.point import Point, Unusable
from modules.sensors.sources.base import Feed

_SAMPLES: Final = {"float32": "f", "int16": "h"}
_LARGEST: Final = 1 << 20  # bytes; a whole waveform as JSON text takes less
_PLACE: Final = r"^[^.]+(\.[^.]+)*$"


class PayloadPoint(Point):
    """A value that comes in a payload. Of SenML, every reading is taken, its own name after this one's."""

    format: Literal["number", "json", "senml", "float32", "int16"] = Field(
        "number", title="Format", description="a number as text; JSON; SenML; or samples, little endian"
    )
    field: Annotated[str | None, Field(title="Field", description="of a value in JSON: data.temp", pattern=_PLACE)] = (
        None
    )
    time_field: Annotated[
        str | None, Field(title="Field of the time", description="Unix seconds or RFC 3339, in JSON", pattern=_PLACE)
    ] = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.format in _SAMPLES and self.rate_hz is None:
            raise ValueError("samples need rate_hz")
        if self.format == "senml" and self.rate_hz is not None:
            raise ValueError("SenML carries readings, not a waveform")
        if (self.field is not None or self.time_field is not None) and self.format != "json":
            raise ValueError("field and time_field are of JSON")
        return self


def hand_over(point: PayloadPoint, payload: bytes, feed: Feed, now: float) -> None:
    """Give what `payload` says to `feed`; what cannot be read is counted there. `now`: when it came, Unix seconds."""
    if len(payload) > _LARGEST:
        feed.refuse("too_long")
        return
    try:
        if point.format == "senml":
            for reading in _senml(point, payload, feed, now):
                feed.reading(reading)
            return
        raw, time = _value(point, payload)
    except Unusable as error:
        feed.refuse(error.reason)
        return
    feed.take(point, raw, time)


def _senml(point: PayloadPoint, payload: bytes, feed: Feed, now: float) -> Iterator[Reading]:
    try:
        batch = senml.decode(payload, now=now)
    except BadMessage as error:
        raise Unusable(error.reason) from error
    for reason, count in batch.rejected.items():
        feed.refuse(reason, count)
    for name, value, time, unit in zip(batch.names, batch.values, batch.times, batch.units, strict=True):
        yield Reading(f"{point.name}/{name}", value, time, unit)


def _value(point: PayloadPoint, payload: bytes) -> tuple[object, float | None]:
    if point.format == "number":
        return number(payload), None
    if point.format == "json":
        try:
            document = orjson.loads(payload)
        except orjson.JSONDecodeError:
            raise Unusable("not_json") from None
        time = None if point.time_field is None else unix_seconds(_at(document, point.time_field))
        return document if point.field is None else _at(document, point.field), time
    code = _SAMPLES[point.format]
    if len(payload) % struct.calcsize(code):
        raise Unusable("wrong_shape")
    return list(struct.unpack(f"<{len(payload) // struct.calcsize(code)}{code}", payload)), None


def _at(document: Any, place: str) -> object:
    for part in place.split("."):
        if isinstance(document, list) and part.isdecimal() and int(part) < len(document):
            document = document[int(part)]
        elif isinstance(document, dict) and part in document:
            document = document[part]
        else:
            raise Unusable("no_such_field")
    return document


def number(text: bytes | str) -> float:
    """The number that a text says. Raises Unusable: wrong_type for any other text, nan."""
    try:
        value = float(text)
    except ValueError:
        raise Unusable("wrong_type") from None
    if not math.isfinite(value):
        raise Unusable("nan")
    return value


def unix_seconds(value: object) -> float:
    """Unix seconds of a number or an RFC 3339 text; raises Unusable('time')."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    try:
        time = datetime.fromisoformat(str(value))
    except ValueError:
        raise Unusable("time") from None
    if time.tzinfo is None:
        raise Unusable("time")
    return time.timestamp()
