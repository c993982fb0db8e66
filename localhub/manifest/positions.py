"""JSON that remembers where each part stood.

Reads strict JSON (RFC 8259) and keeps for every member and item where its key and its value begin. Names that stand
twice in one object are kept too: JSON readers silently take the last.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from localhub.manifest.problem import Place

Path = tuple[str | int, ...]
"""The way to a part of a document: member names and item numbers."""

_BLANKS: Final = re.compile(r"[ \t\r\n]*")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+\-]?[0-9]+)?")
_WORDS: Final = {"true": True, "false": False, "null": None}
_DEEPEST: Final = 200
_STRINGS: Final = json.JSONDecoder()


class JsonSyntaxError(ValueError):
    """Not JSON; `place` says where, the text what was expected."""

    def __init__(self, message: str, place: Place) -> None:
        self.place = place
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Span:
    """Offsets in the text that was parsed: of the key (or item), of the value, and behind the value."""

    key: int
    value: int
    end: int


@dataclass(frozen=True, slots=True)
class Shift:
    """A value of `size` characters at `at` in the parsed text stands for the placeholder at `original` in the file."""

    at: int
    size: int
    original: int


class Document:
    """A parsed file.

    `value` is the JSON value. `original` is the file's text; `text` what was parsed, which differs where placeholders
    were filled in (`shifts`). `twice` lists the paths of members whose name had stood in their object before.
    """

    def __init__(self, file: str, original: str, text: str | None = None, shifts: Sequence[Shift] = ()) -> None:
        """Parses `text`, by default the original. Raises JsonSyntaxError."""
        self.file = file
        self.original = original
        self.text = original if text is None else text
        self._shifts = list(shifts)
        self._starts = [shift.at for shift in self._shifts]
        self._lines = [0, *(match.end() for match in re.finditer("\n", original))]
        self.spans: dict[Path, Span] = {}
        self.twice: list[tuple[Path, Place]] = []
        self.value: Any = _Parser(self).document()

    def place_of_offset(self, offset: int) -> Place:
        """The place in the file of an offset in the parsed text."""
        index = bisect_right(self._starts, offset) - 1
        original = offset
        if index >= 0:
            shift = self._shifts[index]
            inside = offset - shift.at
            original = shift.original + (0 if inside < shift.size else inside - shift.size + self._width(index))
        line = bisect_right(self._lines, original) - 1
        return Place(self.file, line + 1, original - self._lines[line] + 1)

    def _width(self, index: int) -> int:
        """How long the placeholder of a shift is in the file."""
        match = re.compile(r"\$\{[^}]*\}|\$\w+").match(self.original, self._shifts[index].original)
        return 0 if match is None else len(match[0])

    def place(self, path: Path) -> Place:
        """Where the member or item stands (its key), or the nearest part round it that there is."""
        while path not in self.spans:
            path = path[:-1]
        return self.place_of_offset(self.spans[path].key)

    def inside(self, path: Path, offset: int) -> Place:
        """Where the character at `offset` of a string value stands."""
        span = self.spans[path]
        raw = self.text[span.value + 1 : span.end - 1]
        at = 0
        for _ in range(offset):
            if at >= len(raw):
                break
            at += 1 if raw[at] != "\\" else 6 if raw[at + 1] == "u" else 2
        return self.place_of_offset(span.value + 1 + at)

    def raw(self, path: Path) -> str:
        """The value as it stands in the file, placeholders and all."""
        span = self.spans[path]
        line_start = self.place_of_offset(span.value)
        begin = self._lines[line_start.line - 1] + line_start.column - 1
        closing = self.place_of_offset(span.end)
        return self.original[begin : self._lines[closing.line - 1] + closing.column - 1]


class _Parser:
    """One pass over the text of a document."""

    def __init__(self, document: Document) -> None:
        self.into = document
        self.text = document.text
        self.at = 0

    def fail(self, message: str, at: int | None = None) -> NoReturn:
        raise JsonSyntaxError(message, self.into.place_of_offset(self.at if at is None else at))

    def blanks(self) -> str:
        """Skips white space; the character then here, empty at the end."""
        match = _BLANKS.match(self.text, self.at)
        self.at = self.at if match is None else match.end()
        return self.text[self.at : self.at + 1]

    def document(self) -> Any:
        self.blanks()
        start = self.at
        value = self.value((), start)
        if self.blanks():
            self.fail("text behind the end of the document")
        return value

    def value(self, path: Path, key: int) -> Any:
        char = self.blanks()
        start = self.at
        if len(path) > _DEEPEST:
            self.fail("nested too deeply")
        if char == "{":
            value: Any = self.object(path)
        elif char == "[":
            value = self.array(path)
        elif char == '"':
            value = self.string()
        else:
            value = self.scalar()
        self.into.spans[path] = Span(key, start, self.at)
        return value

    def object(self, path: Path) -> dict[str, Any]:
        self.at += 1
        members: dict[str, Any] = {}
        if self.blanks() == "}":
            self.at += 1
            return members
        while True:
            if self.blanks() != '"':
                self.fail("expected a member name in double quotes (is there a comma too many before?)")
            key = self.at
            name = self.string()
            if self.blanks() != ":":
                self.fail("expected ':' behind the member name")
            self.at += 1
            here = (*path, name)
            if name in members:
                self.into.twice.append((here, self.into.place_of_offset(key)))
            members[name] = self.value(here, key)
            char = self.blanks()
            if char not in {",", "}"} or not char:
                self.fail("expected ',' or '}'")
            self.at += 1
            if char == "}":
                return members

    def array(self, path: Path) -> list[Any]:
        self.at += 1
        items: list[Any] = []
        if self.blanks() == "]":
            self.at += 1
            return items
        while True:
            self.blanks()
            items.append(self.value((*path, len(items)), self.at))
            char = self.blanks()
            if char not in {",", "]"} or not char:
                self.fail("expected ',' or ']'")
            self.at += 1
            if char == "]":
                return items

    def string(self) -> str:
        try:
            value, self.at = _STRINGS.raw_decode(self.text, self.at)
        except json.JSONDecodeError as error:
            self.fail(error.msg.lower(), error.pos)
        return str(value)

    def scalar(self) -> Any:
        for word, value in _WORDS.items():
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return value
        match = _NUMBER.match(self.text, self.at)
        if match is None:
            self.fail("expected a value" if self.at < len(self.text) else "the file ends too early")
        self.at = match.end()
        return json.loads(match[0])
