"""IoT Hub's query language over twins: SELECT, FROM devices or devices.modules, WHERE. Pure.

Source: learn.microsoft.com/azure/iot-hub/iot-hub-devguide-query-language. A comparison with a property that is absent,
or of another type, is neither true nor false, and what is not true is not selected. `configurations.[[id]].status`
names a configuration whose id is no word. GROUP BY, jobs and string functions besides those below are refused in words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

Document = Mapping[str, Any]
Truth = bool | None
Condition = Callable[[Document], Truth]
Value = Callable[[Document], Any]

_TOKEN: Final = re.compile(
    r"""\s+|(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?P<number>-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)"""
    r"""|(?P<word>[A-Za-z_$][\w$-]*)|(?P<id>\[\[[^\]]+\]\])|(?P<sign><>|!=|<=|>=|[=<>(),.*\[\]])"""
)
_COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "=": lambda one, other: bool(one == other),
    "!=": lambda one, other: bool(one != other),
    "<>": lambda one, other: bool(one != other),
    "<": lambda one, other: bool(one < other),
    "<=": lambda one, other: bool(one <= other),
    ">": lambda one, other: bool(one > other),
    ">=": lambda one, other: bool(one >= other),
}
_KEYWORDS: Final = frozenset({"SELECT", "FROM", "WHERE", "AND", "OR", "NOT", "IN", "NIN", "AS", "GROUP", "COUNT"})
_ABSENT: Final = object()
MOST_NAMES: Final = 1000  # longer lists do not bound a scope


class QueryError(ValueError):
    """A query cannot be understood; the text says where, and what was expected."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Where to look: over twins of devices or of modules, of these `devices`, of modules of these `names` (None: all).

    Twins outside are not selected by the condition; those inside may not be either.
    """

    modules: bool = False
    devices: frozenset[str] | None = None
    names: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query. `columns` None stands for `*`; `counted` names a lone COUNT()."""

    scope: Scope
    condition: Condition
    columns: tuple[tuple[str, Value], ...] | None
    counted: str | None

    def selects(self, twin: Document) -> bool:
        """Whether a twin meets the condition."""
        return self.condition(twin) is True

    def row(self, twin: Document) -> dict[str, Any]:
        """What is answered for a twin that was selected; an absent column is left out."""
        if self.columns is None:
            return dict(twin)
        found = ((name, value(twin)) for name, value in self.columns)
        return {name: value for name, value in found if value is not _ABSENT}


def parse(text: str) -> Query:
    """Parse a query; raises QueryError."""
    return _Parser(text).query()


def parse_condition(text: str) -> Condition:
    """Parse a target condition: `*` for every device, else what would stand after WHERE. Raises QueryError."""
    if text.strip() == "*":
        return lambda _twin: True
    parser = _Parser(text)
    condition = parser.disjunction()
    parser.end()
    return condition


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = [
            *_tokens(text),
            ("end", "", len(text)),
            ("end", "", len(text)),
        ]  # one to look at, one to be past
        self._at = 0
        self._names: list[tuple[str, frozenset[str]]] = []  # what deviceId or moduleId has to be among

    def query(self) -> Query:
        self._expect("SELECT")
        columns, counted = self._columns()
        self._expect("FROM")
        self._expect("devices")
        modules = self._take(".")
        if modules:
            self._expect("modules")
        condition = self.disjunction() if self._take("WHERE") else lambda _twin: True
        self.end()
        return Query(Scope(modules, self._among("deviceId"), self._among("moduleId")), condition, columns, counted)

    def _among(self, name: str) -> frozenset[str] | None:
        found = [values for of, values in self._names if of == name]
        both = frozenset.intersection(*found) if found else None
        return None if both is None or len(both) > MOST_NAMES else both

    def end(self) -> None:
        if self._peek("GROUP"):
            raise self._error("GROUP BY is not understood here; the end of the query")
        if self._tokens[self._at][0] != "end":
            raise self._error("the end of the query")

    def disjunction(self) -> Condition:
        known = len(self._names)
        parts = [self._conjunction()]
        while self._take("OR"):
            parts.append(self._conjunction())
            del self._names[known:]  # what holds on one side only does not bound the whole
        return parts[0] if len(parts) == 1 else lambda twin: _any(part(twin) for part in parts)

    def _conjunction(self) -> Condition:
        parts = [self._negation()]
        while self._take("AND"):
            parts.append(self._negation())
        return parts[0] if len(parts) == 1 else lambda twin: _all(part(twin) for part in parts)

    def _negation(self) -> Condition:
        if self._take("NOT"):
            known = len(self._names)
            inner = self._negation()
            del self._names[known:]
            return lambda twin: _not(inner(twin))
        if self._take("("):
            inner = self.disjunction()
            self._expect(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Condition:
        at = self._at
        kind, word, _ = self._tokens[at]
        if kind == "word" and self._tokens[at + 1][1] == "(":
            return self._function(word.lower())
        left = self._operand()
        sign = self._next()[1].upper()
        if sign in ("IN", "NIN"):
            values = self._list()
            if sign == "IN":
                self._bound(word, self._tokens[at + 1][1], values)
            return lambda twin: _among(left(twin), values, wanted=sign == "IN")
        if sign not in _COMPARE:
            self._at -= 1
            raise self._error("one of = != < <= > >= IN NIN")
        constant = self._tokens[self._at][0] == "text"
        right, compare = self._operand(), _COMPARE[sign]
        if sign == "=" and constant:
            self._bound(word, self._tokens[at + 1][1], [right({})])
        return lambda twin: _compared(left(twin), right(twin), compare, ordered=sign[0] in "<>" and sign != "<>")

    def _bound(self, word: str, after: str, values: list[Any]) -> None:
        """Note what an id has to be among; `after` is what stands after the word, which may be a path's beginning."""
        if word in ("deviceId", "moduleId") and after != ".":
            self._names.append((word, frozenset(value for value in values if isinstance(value, str))))

    def _function(self, name: str) -> Condition:
        functions: Mapping[str, Callable[[Any, Any], Truth]] = {
            "is_defined": lambda value, _: value is not _ABSENT,
            "is_null": lambda value, _: None if value is _ABSENT else value is None,
            "startswith": lambda value, text: isinstance(value, str) and value.startswith(str(text)),
            "endswith": lambda value, text: isinstance(value, str) and value.endswith(str(text)),
            "contains": lambda value, text: isinstance(value, str) and str(text) in value,
        }
        if name not in functions:
            raise self._error(f"one of the functions {', '.join(functions)}")
        function = functions[name]
        self._at += 1
        self._expect("(")
        value = self._operand()
        other = self._operand() if name not in ("is_defined", "is_null") and self._expect(",") else _always(None)
        self._expect(")")
        return lambda twin: function(value(twin), other(twin))

    def _operand(self) -> Value:
        kind, word, _ = self._next()
        if kind == "text":
            return _always(re.sub(r"\\(.)", r"\1", word[1:-1]))
        if kind == "number":
            return _always(float(word) if re.search(r"[.eE]", word) else int(word))
        if kind == "word" and word.lower() in ("true", "false", "null"):
            return _always({"true": True, "false": False, "null": None}[word.lower()])
        if kind == "word" and word.upper() not in _KEYWORDS:
            return _path(self._steps(word))
        self._at -= 1
        raise self._error("a property, a text in quotes, a number, true, false or null")

    def _steps(self, first: str) -> list[str]:
        steps = [first]
        while self._take("."):
            kind, word, _ = self._next()
            if kind not in ("word", "id"):
                self._at -= 1
                raise self._error("a name")
            steps.append(word[2:-2] if kind == "id" else word)
        return steps

    def _list(self) -> list[Any]:
        self._expect("[")
        values = [self._operand()({})]
        while self._take(","):
            values.append(self._operand()({}))
        self._expect("]")
        return values

    def _columns(self) -> tuple[tuple[tuple[str, Value], ...] | None, str | None]:
        if self._take("*"):
            return None, None
        if self._take("COUNT"):
            self._expect("(")
            self._take("*")
            self._expect(")")
            return None, self._next()[1] if self._take("AS") else "count"
        columns = [self._column()]
        while self._take(","):
            columns.append(self._column())
        return tuple(columns), None

    def _column(self) -> tuple[str, Value]:
        kind, word, _ = self._next()
        if kind != "word" or word.upper() in _KEYWORDS:
            self._at -= 1
            raise self._error("*, COUNT() or a property")
        steps = self._steps(word)
        return (self._next()[1] if self._take("AS") else steps[-1]), _path(steps)

    def _peek(self, word: str) -> bool:
        kind, found, _ = self._tokens[self._at]
        return kind not in ("text", "end") and found.upper() == word.upper()

    def _take(self, word: str) -> bool:
        if self._peek(word):
            self._at += 1
            return True
        return False

    def _expect(self, word: str) -> bool:
        if not self._take(word):
            raise self._error(word)
        return True

    def _next(self) -> tuple[str, str, int]:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _error(self, expected: str) -> QueryError:
        _, found, column = self._tokens[self._at]
        return QueryError(f"column {column + 1}: {found or 'the end'!r} stands where {expected} was expected")


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise QueryError(f"column {at + 1}: {text[at]!r} is not understood")
        if match.lastgroup is not None:
            yield match.lastgroup, match[0], at
        at = match.end()


def _path(steps: list[str]) -> Value:
    def value(twin: Document) -> Any:
        here: Any = twin
        for step in steps:
            if not isinstance(here, Mapping) or step not in here:
                return _ABSENT
            here = here[step]
        return here

    return value


def _always(value: Any) -> Value:
    return lambda _twin: value


def _same_type(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool) or one is None or other is None:
        return type(one) is type(other)
    number = int | float
    return (isinstance(one, number) and isinstance(other, number)) or (isinstance(one, str) and isinstance(other, str))


def _compared(one: Any, other: Any, compare: Callable[[Any, Any], bool], *, ordered: bool) -> Truth:
    if one is _ABSENT or other is _ABSENT or not _same_type(one, other):
        return None
    return None if ordered and (one is None or isinstance(one, bool)) else compare(one, other)


def _among(value: Any, values: Iterable[Any], *, wanted: bool) -> Truth:
    if value is _ABSENT:
        return None
    return any(_same_type(value, one) and value == one for one in values) is wanted


def _any(truths: Iterable[Truth]) -> Truth:
    found = list(truths)
    return True if True in found else None if None in found else False


def _all(truths: Iterable[Truth]) -> Truth:
    found = list(truths)
    return False if False in found else None if None in found else True


def _not(truth: Truth) -> Truth:
    return None if truth is None else not truth
