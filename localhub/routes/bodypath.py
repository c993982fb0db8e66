"""`$body.a.b[0].c`: what edgeHub accepts as a path into the body, and what the path finds.

The check (Routing.Core/query/jsonpath/JsonPath.g4) wants names and `[index]` parted by dots and looks no further once
it has read one whole path, so `a[0][1]` passes. What passes is run by Json.NET's SelectTokens, where `*` stands for
every member and `[*]` for every item.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from localhub.routes.dates import reads_as_date
from localhub.routes.values import MISSING, NULL, UNDEFINED

_TOKEN: Final = re.compile(r"[\[\].]|[^()<>@,;:\\\"/\[\]?={}.\t\n\r]+")
_INDEX: Final = re.compile(r"[0-9]+")
_STEP: Final = re.compile(r"\.?(?P<name>[^.\[\]]+)|\[(?P<index>[0-9]+)\]|(?P<items>\[\*\])|\['(?P<quoted>[^']*)'\]")
_MAX_INDEX: Final = 2**31 - 1

Find = Callable[[Any], Any]


class BodyPathError(ValueError):
    """Not a path edgeHub compiles: write names and [index], parted by dots."""


def compile_path(path: str) -> Find:
    """A function from the body's JSON object to the body value at `path` (without `$body.`).

    It gives MISSING where there is no such path and UNDEFINED for objects, arrays, dates and more than one find.
    Raises BodyPathError.
    """
    _check(path)
    if path == "$" or path.startswith(("$.", "$[")):  # Json.NET: the root itself
        path = path[1:]
    steps = _steps(path)
    if not steps:
        return lambda _root: UNDEFINED
    if any(step in ("*", ["*"]) for step in steps):
        return lambda root: _select_many(root, steps)
    if len(steps) == 1 and isinstance(steps[0], str):
        name = steps[0]
        return lambda root: _leaf(root[name]) if name in root else MISSING
    return lambda root: _select_one(root, steps)


def _check(path: str) -> None:
    """The path grammar, which ends with the first token that cannot go on."""
    tokens = _TOKEN.findall(path)
    at = 0
    while True:
        if at >= len(tokens) or tokens[at] in {"[", "]", "."} or _INDEX.fullmatch(tokens[at]):
            raise BodyPathError("expected a name")
        at += 1
        if at < len(tokens) and tokens[at] == "[":
            if len(tokens) < at + 3 or not _INDEX.fullmatch(tokens[at + 1]) or tokens[at + 2] != "]":
                raise BodyPathError("expected [index] with a whole number from 0")
            at += 3
        if at >= len(tokens) or tokens[at] != ".":
            return
        at += 1


def _steps(path: str) -> list[Any]:
    """Names, indices (int), "*" and ["*"]; empty where Json.NET fails when the path is run."""
    steps: list[Any] = []
    at = 0
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None or (at and match["name"] is not None and path[at] != "."):
            return []
        if match["index"] is not None:
            index = int(match["index"])
            if index > _MAX_INDEX:
                return []
            steps.append(index)
        elif match["items"] is not None:
            steps.append(["*"])
        else:
            steps.append(match["name"] if match["name"] is not None else match["quoted"])
        at = match.end()
    return steps


def _select_one(root: Any, steps: list[Any]) -> Any:
    here = root
    for step in steps:
        if isinstance(step, str):
            if not isinstance(here, dict) or step not in here:
                return MISSING
            here = here[step]
        elif isinstance(here, list) and step < len(here):
            here = here[step]
        else:
            return MISSING
    return _leaf(here)


def _select_many(root: Any, steps: list[Any]) -> Any:
    found = [root]
    for step in steps:
        if step == "*":
            found = [child for item in found if isinstance(item, dict) for child in item.values()]
        elif step == ["*"]:
            found = [child for item in found if isinstance(item, list) for child in item]
        elif isinstance(step, str):
            found = [item[step] for item in found if isinstance(item, dict) and step in item]
        else:
            found = [item[step] for item in found if isinstance(item, list) and step < len(item)]
    if not found:
        return MISSING
    return _leaf(found[0]) if len(found) == 1 else UNDEFINED


def _leaf(value: Any) -> Any:
    """A JSON value as a body value."""
    kind = type(value)
    if kind is str:
        return UNDEFINED if reads_as_date(value) else value
    if kind is float or kind is bool:
        return value
    if kind is int:
        try:
            return float(value)
        except OverflowError:
            return float("inf") if value > 0 else float("-inf")
    if value is None:
        return NULL
    return UNDEFINED
