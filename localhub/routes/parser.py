"""Reads the text of a route.

    route     = ["SELECT" "*"] "FROM" source ["WHERE" condition] "INTO" sink
    source    = ("/" ("*" | NAME))+
    sink      = SYSTEM | NAME "(" STRING ")"
    condition = operand (operator operand)*           operators and their precedence: `syntax.PRECEDENCE`
    operand   = ("-" | "NOT") operand | "(" condition ")" | literal | NAME | SYSTEM | "{" SYSTEM "}"
              | NAME "(" [condition ("," condition)*] ")"

What stands behind the first complete sink is ignored, as edgeHub ignores it. A condition that is wrong in a way that
edgeHub's grammar lets through (`defects`) gives a route without a tree; the mistake then counts at compile time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NoReturn

from localhub.routes import defects, hints
from localhub.routes.errors import RouteCompileError, RouteRefusedError, RouteSyntaxError
from localhub.routes.lexer import Token, tokenize
from localhub.routes.syntax import PRECEDENCE, Binary, Call, Expression, Literal, Name, System, Unary

LITERALS: Final = frozenset({"STRING", "INTEGER", "REAL", "HEX", "TRUE", "FALSE", "NULL", "UNDEFINED"})
_AN_OPERAND: Final = "a property, a $system property, a $body path, a literal, a function or '('"


@dataclass(frozen=True, slots=True)
class ParsedRoute:
    """What a route text says, before anything is looked up or compiled.

    `source` is written without blanks; `condition` is the text of the condition ("true" where there is no WHERE) and
    `tree` its tree, None where only `defect` can be told about it. `system` is the sink `$name`; else `function` and
    `address` (without its quotes, escapes untouched). `rest` is the text behind the sink, which edgeHub ignores.
    """

    text: str
    source: str
    source_at: int
    condition: str
    condition_at: int
    tree: Expression | None
    defect: RouteCompileError | None
    system: str | None
    function: str | None
    address: str | None
    sink_at: int
    rest: str


def parse(text: str) -> ParsedRoute:
    """Reads one route; raises RouteSyntaxError for text that is none and RouteRefusedError for text that is blank."""
    try:
        return _Reader(text).route()
    except RecursionError:
        raise RouteSyntaxError("the condition is nested too deeply", text=text, offset=0) from None


class _Reader:
    """The tokens of one route and how far they have been read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokenize(text)
        self.index = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.index]

    def fail(self, expected: str) -> NoReturn:
        """Raises: the token here is not what was expected."""
        found = "the end of the text" if self.token.kind == "END" else repr(self.token.text)
        hint = hints.for_token(self.text, self.tokens, self.index)
        raise RouteSyntaxError(
            f"expected {expected}, found {found}", text=self.text, offset=self.token.start, hint=hint
        )

    def take(self, kind: str, expected: str) -> Token:
        """The token here, which must be of `kind`."""
        token = self.token
        if token.kind != kind:
            self.fail(expected)
        self.index += 1
        return token

    def route(self) -> ParsedRoute:
        if self.token.kind == "END":
            raise RouteRefusedError("the route is empty", text=self.text, offset=0, hint="write FROM source INTO sink")
        if self.token.kind == "SELECT":
            self.index += 1
            self.take("*", "'*' after SELECT")
            self.take("FROM", "FROM")
        else:
            self.take("FROM", "FROM (or SELECT * FROM)")
        source_at = self.token.start
        source = self.source()
        condition, condition_at, tree, defect = "true", self.token.start, None, None
        if self.token.kind == "WHERE":
            self.index += 1
            first = self.token
            tree, defect = self.condition()
            condition_at = first.start
            condition = self.text[first.start : self.tokens[self.index - 1].end]
        else:
            tree = Literal("TRUE", "true", condition_at, condition_at)
        self.take("INTO", "INTO, or an operator" if condition_at != self.token.start else "WHERE or INTO")
        sink_at = self.token.start
        system, function, address = self.sink()
        return ParsedRoute(
            text=self.text,
            source=source,
            source_at=source_at,
            condition=condition,
            condition_at=condition_at,
            tree=tree,
            defect=defect,
            system=system,
            function=function,
            address=address,
            sink_at=sink_at,
            rest=self.text[self.tokens[self.index - 1].end :].strip(),
        )

    def source(self) -> str:
        if self.token.kind != "/":
            self.fail("a source such as /messages/*")
        written = ""
        while self.token.kind == "/":
            self.index += 1
            if self.token.kind not in {"*", "NAME"}:
                self.fail("a name or '*' after '/'")
            written += "/" + self.token.text
            self.index += 1
        return written

    def sink(self) -> tuple[str | None, str | None, str | None]:
        if self.token.kind == "SYSTEM":
            self.index += 1
            return self.tokens[self.index - 1].text, None, None
        if self.token.text.lower() == "upstream":
            self.fail("$upstream")
        function = self.take("NAME", '$upstream or BrokeredEndpoint("/modules/MODULE/inputs/INPUT")')
        self.take("(", f"'(' after {function.text!r}")
        address = self.take("STRING", "the address in quotes")
        self.take(")", "')' after the address")
        return None, function.text, address.text[1:-1]

    def condition(self) -> tuple[Expression | None, RouteCompileError | None]:
        """The condition's tree, or what is wrong with one that the route grammar lets through; stops at INTO."""
        begin = self.index
        try:
            tree = self.expression(1)
            if self.token.kind != "INTO":
                self.fail("an operator or INTO")
        except RouteSyntaxError as mistake:
            end = defects.end_of_condition(self.tokens, begin)
            if end is None:
                raise
            self.index = end
            return None, RouteCompileError(mistake.problem, text=mistake.text, offset=mistake.offset, hint=mistake.hint)
        return tree, None

    def expression(self, level: int) -> Expression:
        """Precedence climbing: operators that bind at least as tightly as `level`."""
        start = self.token.start
        left = self.operand()
        while True:
            operator = self.token
            strength = PRECEDENCE.get(operator.kind)
            if strength is None or strength < level:
                return left
            self.index += 1
            right = self.expression(strength + 1)
            left = Binary(operator.kind, left, right, operator.start, start, self.tokens[self.index - 1].end)

    def operand(self) -> Expression:
        token = self.token
        if token.kind in {"-", "NOT"}:
            self.index += 1
            operand = self.operand()
            return Unary(token.kind, operand, token.start, self.tokens[self.index - 1].end)
        if token.kind in LITERALS:
            self.index += 1
            return Literal(token.kind, token.text, token.start, token.end)
        if token.kind == "SYSTEM":
            self.index += 1
            return System(token.text, escaped=False, start=token.start, end=token.end)
        if token.kind == "{":
            self.index += 1
            name = self.take("SYSTEM", "a $system property after '{'")
            closing = self.take("}", "'}'")
            return System(name.text, escaped=True, start=token.start, end=closing.end)
        if token.kind == "(":
            self.index += 1
            inner = self.expression(1)
            self.take(")", "')' or an operator")
            return inner
        name = self.take("NAME", _AN_OPERAND)
        if self.token.kind != "(":
            return Name(name.text, name.start, name.end)
        self.index += 1
        arguments: list[Expression] = []
        while self.token.kind != ")" or arguments:
            arguments.append(self.expression(1))
            if self.token.kind != ",":
                break
            self.index += 1
        closing = self.take(")", "')', ',' or an operator")
        return Call(name.text, tuple(arguments), name.start, closing.end)
