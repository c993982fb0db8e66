"""createOptions: Docker's create-container JSON, as an object or as text in pieces of 512 characters."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

PIECE: Final = 512  # a string of a twin section holds no more in the tools' reckoning
MOST_PIECES: Final = 8  # iotedgedev refuses more (4 KB); edgeAgent itself joins up to 100

_FIELD: Final = re.compile(r"createoptions([0-9]*)", re.IGNORECASE)


class CreateOptionsError(ValueError):
    """createOptions cannot be read; `field` names the settings field at fault."""

    def __init__(self, message: str, field: str) -> None:
        self.field = field
        super().__init__(message)


def fields_of(settings: Mapping[str, Any]) -> list[tuple[int, str]]:
    """The createOptions fields of a module's settings with their numbers, in order; the first has number 0."""
    found = [(int(match[1] or 0), name) for name in settings if (match := _FIELD.fullmatch(name)) is not None]
    return sorted(found)


def join(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The options object of a module's settings; empty where there is none. Raises CreateOptionsError."""
    fields = fields_of(settings)
    if not fields:
        return {}
    first = fields[0][1]
    if isinstance(settings[first], dict):
        if len(fields) > 1:
            raise CreateOptionsError("an object cannot be continued by a further piece", fields[1][1])
        return dict(settings[first])
    text = ""
    for expected, (number, name) in enumerate(fields):
        if number != expected:
            raise CreateOptionsError(
                f"piece {expected} is missing: edgeAgent wants createOptions, createOptions01, createOptions02", name
            )
        if not isinstance(settings[name], str):
            raise CreateOptionsError("must be text, or an object in one field", name)
        text += settings[name]
    if not text.strip():
        return {}
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise CreateOptionsError(f"the joined text is no JSON: {error.msg} at character {error.pos}", first) from error
    if not isinstance(value, dict):
        raise CreateOptionsError("the joined text is no JSON object", first)
    return value


def minify(value: Mapping[str, Any]) -> str:
    """The text form that iotedgedev writes."""
    return json.dumps(value, separators=(",", ":"))


def cut(value: Mapping[str, Any]) -> dict[str, str]:
    """The options as settings fields: createOptions, createOptions01, ... of at most 512 characters each."""
    text = minify(value)
    pieces = [text[at : at + PIECE] for at in range(0, len(text), PIECE)]
    return {"createOptions" if not index else f"createOptions{index:02}": piece for index, piece in enumerate(pieces)}
