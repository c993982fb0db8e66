"""Fills in `${NAME}` and `$NAME` in a JSON text and keeps account of what moved.

As iotedgedev does it the text is filled in before it is parsed, so that a placeholder may stand where a number does.
Inside quotes a value is escaped, so that a password with a quote in it does no harm. What has no value stays as it
is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from localhub.manifest.positions import Document, Path, Shift

Lookup = Callable[[str], str | None]

_PARTS: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\$\{[^}"]*\}|\$\w+', re.DOTALL)
_PLACEHOLDER: Final = re.compile(r"\$\{([^}]*)\}|\$(\w+)")
# Behind a single dollar only what looks like a variable of the environment: $upstream and $edgeHub are no placeholders.
_LEFT_OVER: Final = re.compile(r"\$\{([^}]*)\}|^\$([A-Z_][A-Z0-9_]*)$")


def expand(file: str, original: str, lookup: Lookup) -> Document:
    """The document with every placeholder filled in that `lookup` knows. Raises JsonSyntaxError."""
    pieces: list[str] = []
    shifts: list[Shift] = []
    length = copied = 0
    for part in _PARTS.finditer(original):
        quoted = part[0].startswith('"')
        for match in _PLACEHOLDER.finditer(original, part.start(), part.end()):
            value = lookup(match[1] if match[1] is not None else match[2])
            if value is None:
                continue
            if quoted:
                value = json.dumps(value, ensure_ascii=False)[1:-1]
            pieces += [original[copied : match.start()], value]
            length += match.start() - copied
            shifts.append(Shift(length, len(value), match.start()))
            length += len(value)
            copied = match.end()
    pieces.append(original[copied:])
    return Document(file, original, "".join(pieces), shifts)


def left_over(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every placeholder still in the strings and names of a JSON value: where, and the name in it."""
    match value:
        case str():
            for match in _LEFT_OVER.finditer(value):
                yield path, match[1] if match[1] is not None else match[2]
        case dict():
            for name, member in value.items():
                yield from left_over(member, (*path, name))
        case list():
            for index, item in enumerate(value):
                yield from left_over(item, (*path, index))
