"""A twin's patch from what a person writes: JSON, or NAME.NAME=VALUE words. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from fleet.exits import Exit, FleetError


def parse(words: Sequence[str]) -> dict[str, Any]:
    """An object from one JSON text, or from words such as settings.rate=5; a value that is no JSON is text.

    `null` deletes, as in every twin's patch. Raises FleetError.
    """
    if len(words) == 1 and words[0].lstrip().startswith("{"):
        document = json_of(words[0])
        assert isinstance(document, dict)
        return document
    patch: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        *parents, last = name.split(".")
        if not equals or not all((*parents, last)):
            raise FleetError(f"{word!r} is neither a JSON object nor NAME.NAME=VALUE", Exit.USAGE)
        here = patch
        for parent in parents:
            here = here.setdefault(parent, {})
            if not isinstance(here, dict):
                raise FleetError(f"{word!r}: {parent} was given a value before", Exit.USAGE)
        here[last] = value_of(value)
    return patch


def json_of(text: str) -> Any:
    """JSON; raises FleetError."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise FleetError(f"{text!r} is not JSON: {error}", Exit.USAGE) from error


def value_of(text: str) -> Any:
    """JSON where it is JSON, else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text
