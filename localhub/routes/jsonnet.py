"""Reads a message body as Json.NET does (Newtonsoft.Json 13, JsonTextReader.cs, JObject.Parse).

Strict JSON takes the quick way. What it refuses is read again with Json.NET's leniencies: single quotes, names without
quotes, trailing commas, comments, NaN and Infinity, hexadecimal and octal numbers, `undefined`, a value left out
before a comma. An array or scalar at the top, a byte order mark, text behind the object and more than 64 levels are
refused there too.
"""

from __future__ import annotations

import re
from typing import Any, Final, NoReturn

import msgspec

from localhub.routes.values import UNDEFINED

_MAX_DEPTH: Final = 64
_LONGEST_INTEGER: Final = 380
_NUMBER_CHARS: Final = re.compile(r"[\-+a-fA-FxX.0-9]+")
_DECIMAL: Final = re.compile(r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+\-]?[0-9]+)?")
_INTEGER: Final = re.compile(r"-?[0-9]+")
_ESCAPED: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|([btnfr\\\"'/])|)", re.DOTALL)
_PLAIN: Final = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r"}
_WORDS: Final = {
    "true": True,
    "false": False,
    "null": None,
    "undefined": UNDEFINED,
    "NaN": float("nan"),
    "Infinity": float("inf"),
    "-Infinity": float("-inf"),
}


class NotJsonError(ValueError):
    """The text is none that Json.NET would read as an object."""


def read_object(body: bytes, encoding: str) -> dict[str, Any]:
    """The JSON object in `body`; `encoding` is a Python codec name. Raises NotJsonError."""
    text: bytes | str = body if encoding == "utf-8" else body.decode(encoding, "replace")
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return _Reader(body.decode(encoding, "replace")).document()
    if not isinstance(value, dict):
        raise NotJsonError("the body is no JSON object")
    if body.count(b"{") + body.count(b"[") > _MAX_DEPTH and _depth(value) > _MAX_DEPTH:
        raise NotJsonError("the body is nested too deeply")
    return value


def _depth(value: object) -> int:
    """How many containers stand inside one another."""
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, (dict, list))]:
        depth += 1
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
    return depth


class _Reader:
    """Recursive descent over one text; the recursion is bounded by Json.NET's own limit."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def fail(self, what: str) -> NoReturn:
        raise NotJsonError(f"{what} at character {self.at}")

    def peek(self) -> str:
        """The character here; empty at the end."""
        return self.text[self.at : self.at + 1]

    def document(self) -> dict[str, Any]:
        self.skip()
        if self.peek() != "{":
            self.fail("no object")
        value = self.object()
        self.skip()
        if self.peek():
            self.fail("text behind the object")
        return value

    def blanks(self) -> None:
        """Skips white space."""
        while (char := self.peek()) and (char.isspace() or char == "\0"):
            self.at += 1

    def skip(self) -> None:
        """Skips white space and comments."""
        self.blanks()
        while self.peek() == "/":
            style = self.text[self.at : self.at + 2]
            if style == "/*":
                end = self.text.find("*/", self.at + 2)
                if end < 0:
                    self.fail("comment without end")
                self.at = end + 2
            elif style == "//":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            else:
                self.fail("half a comment")
            self.blanks()

    def enter(self) -> None:
        self.at += 1
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            self.fail("too many levels")

    def leave(self) -> None:
        self.at += 1
        self.depth -= 1

    def object(self) -> dict[str, Any]:
        self.enter()
        members: dict[str, Any] = {}
        while True:
            self.skip()
            if self.peek() == "}":
                break
            name = self.name()
            self.blanks()
            if self.peek() != ":":
                self.fail("no colon")
            self.at += 1
            members[name] = self.value()
            self.skip()
            if self.peek() == ",":
                self.at += 1
            elif self.peek() != "}":
                self.fail("neither comma nor end of object")
        self.leave()
        return members

    def name(self) -> str:
        if self.peek() in {'"', "'"}:
            return self.string()
        start = self.at
        while (char := self.peek()) and (char.isalnum() or char in "_$"):
            self.at += 1
        if start == self.at or not (self.peek() == ":" or self.peek().isspace()):
            self.fail("no name")
        return self.text[start : self.at]

    def array(self) -> list[Any]:
        self.enter()
        items: list[Any] = []
        while True:
            self.skip()
            if self.peek() == "]":
                break
            items.append(self.value())
            self.skip()
            if self.peek() == ",":
                self.at += 1
            elif self.peek() != "]":
                self.fail("neither comma nor end of array")
        self.leave()
        return items

    def value(self) -> Any:
        self.skip()
        char = self.peek()
        if char == "{":
            return self.object()
        if char == "[":
            return self.array()
        if char in {'"', "'"} and char:
            return self.string()
        if char == ",":
            return UNDEFINED  # left out; the comma is read by the caller
        for word, value in _WORDS.items():
            if self.text.startswith(word, self.at):
                self.at += len(word)
                self.separated()
                return value
        return self.number()

    def separated(self) -> None:
        """A word must end here."""
        char = self.peek()
        if char and not (char in "}],)/" or char.isspace()):
            self.fail("text glued to a word")

    def number(self) -> float:
        match = _NUMBER_CHARS.match(self.text, self.at)
        if match is None or self.peek() not in "-.0123456789":
            self.fail("no value")
        self.at = match.end()
        self.separated()
        digits = match[0]
        if len(digits) > 1 and digits[0] == "0" and digits[1] not in ".eE":
            base = 16 if digits[1] in "xX" else 8
            try:
                whole = int(digits[2:] if base == 16 else digits, base)
            except ValueError:
                self.fail("no number")
            if whole >= 1 << 64:
                self.fail("number too large")
            return float(whole - (1 << 64) if whole >= 1 << 63 else whole)
        if _DECIMAL.fullmatch(digits) is None or (_INTEGER.fullmatch(digits) and len(digits) > _LONGEST_INTEGER):
            self.fail("no number")
        return float(digits)

    def string(self) -> str:
        quote = self.peek()
        start = self.at + 1
        end = start
        while (found := self.text.find(quote, end)) >= 0:
            slashes = found - len(self.text[start:found].rstrip("\\")) - start
            if slashes % 2 == 0:
                break
            end = found + 1
        if found < 0:
            self.fail("string without end")
        self.at = found + 1
        raw = self.text[start:found]
        return self.unescaped(raw) if "\\" in raw else raw

    def unescaped(self, raw: str) -> str:
        def one(match: re.Match[str]) -> str:
            if match[1] is not None:
                return chr(int(match[1], 16))
            if match[2] is None:
                self.fail("unknown escape")
            return _PLAIN.get(match[2], match[2])

        # Two escaped halves of a pair become one character, a half alone the replacement character.
        return _ESCAPED.sub(one, raw).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
