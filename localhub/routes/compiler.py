"""Makes of a condition's tree a function from a message to its value (Routing.Core/query/ConditionVisitor.cs).

Types are checked here, before any message comes: both sides of an operator must have one type, except that a body
value pairs with a string, number, bool, null or another body value. Application and system properties are strings,
always. What is left at run time is nested closures: no tree is walked and nothing is looked up by name twice.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from localhub.routes import hints, operators, utf16
from localhub.routes.bodypath import BodyPathError, compile_path
from localhub.routes.errors import RouteCompileError
from localhub.routes.functions import FUNCTIONS, Overload
from localhub.routes.message import RoutingMessage
from localhub.routes.numbers import parse_number
from localhub.routes.operators import Evaluate
from localhub.routes.syntax import Binary, Call, Expression, Literal, Name, System, Unary, chain
from localhub.routes.values import (
    NULL,
    UNDEFINED,
    Type,
    bool_to_body,
    number_to_body,
)

_BODY: Final = "$body."
_WITH_BODY: Final = frozenset({Type.STRING, Type.NUMBER, Type.BOOL, Type.NULL})
_LOGICAL: Final = frozenset({Type.NULL, Type.BOOL, Type.UNDEFINED})
_HEX_DIGITS: Final = 16  # of a 64-bit number


@dataclass(frozen=True, slots=True)
class Compiled:
    """A value in the making: its static type and how to get it."""

    type: Type
    run: Evaluate


def compile_tree(tree: Expression, text: str) -> Evaluate:
    """A function from a message to True, False or None (undefined). Raises RouteCompileError, placed in `text`."""
    try:
        return _truth(compile_node(tree, text))
    except RecursionError:
        raise RouteCompileError("the condition is nested too deeply", text=text, offset=tree.start) from None


def compile_node(tree: Expression, text: str) -> Compiled:
    """Any part of a condition, its value held as `values` says for its type."""
    return _Compiler(text).node(tree)


def _truth(value: Compiled) -> Evaluate:
    """The value as the outcome of a condition: what is no bool is undefined, null counts as false."""
    run = value.run
    match value.type:
        case Type.BOOL:
            return run
        case Type.NULL:
            return lambda _message: False
        case Type.BODY:
            return lambda message: result if type(result := run(message)) is bool else None
        case _:
            return lambda _message: None


class _Compiler:
    """One walk over one tree; `text` is what offsets refer to."""

    def __init__(self, text: str) -> None:
        self.text = text

    def fail(self, problem: str, offset: int, hint: str = "") -> NoReturn:
        raise RouteCompileError(problem, text=self.text, offset=offset, hint=hint)

    def node(self, tree: Expression) -> Compiled:
        match tree:
            case Literal():
                return _literal(tree)
            case Name():
                name, folded = tree.text, utf16.upper(tree.text)
                return Compiled(Type.STRING, lambda message: message.property(name, folded))
            case System():
                return self.system(tree)
            case Call():
                return self.call(tree)
            case Unary():
                return self.unary(tree)
            case Binary():
                return self.binary(tree)

    def system(self, tree: System) -> Compiled:
        """`$x`: a body query; else the application property `$x` before the system property `x`."""
        name = tree.text
        bracketed = "[" in name or "]" in name
        if name[: len(_BODY)].lower() == _BODY:
            try:
                find = compile_path(name[len(_BODY) :])
            except BodyPathError as error:
                hint = "a $body path is names and [index], parted by dots: $body.machine.axes[0].rpm"
                self.fail(f"{name!r} is no path into the body: {error}", tree.start, hint)
            if tree.escaped or bracketed:
                return Compiled(Type.BODY, lambda message: message.in_body(find))
            return Compiled(Type.BODY, _property_or(name, lambda message: message.in_body(find)))
        if bracketed:
            return Compiled(Type.UNDEFINED, lambda _message: UNDEFINED)
        plain, folded = name[1:], utf16.upper(name[1:])
        if tree.escaped:
            return Compiled(Type.STRING, lambda message: message.system_property(plain, folded))
        return Compiled(Type.STRING, _property_or(name, lambda message: message.system_property(plain, folded)))

    def call(self, tree: Call) -> Compiled:
        overloads = FUNCTIONS.get(tree.function.lower())
        if overloads is None:
            self.fail(f"there is no function {tree.function!r}", tree.start, _function_hint(tree.function))
        return self.apply(tree.function, overloads, [self.node(argument) for argument in tree.arguments], tree)

    def apply(
        self, name: str, overloads: tuple[Overload, ...], arguments: list[Compiled], tree: Call | Binary
    ) -> Compiled:
        given = [argument.type for argument in arguments]
        overload = next((one for one in overloads if one.fits(given)), None)
        if overload is None:
            have = ", ".join(kind.value for kind in given) or "nothing"
            want = " or ".join(str(one) for one in overloads)
            self.fail(f"{name}() takes {want}, not {have}", tree.start, self.type_hint(tree))
        runs = [_as_body(argument).run if overload.bodies else argument.run for argument in arguments]
        return Compiled(overload.result, operators.applied(overload.run, runs))

    def unary(self, tree: Unary) -> Compiled:
        operand = self.node(tree.operand)
        run, kind = operand.run, operand.type
        if tree.operator == "-":
            if kind is not Type.NUMBER:
                self.fail(f"'-' needs a number, not {_an(kind)}", tree.start, self.type_hint(tree.operand))
            return Compiled(Type.NUMBER, lambda message: -run(message))
        if kind is Type.BOOL:
            return Compiled(Type.BOOL, lambda message: None if (value := run(message)) is None else not value)
        if kind is Type.BODY:
            return Compiled(Type.BOOL, lambda message: not value if type(value := run(message)) is bool else None)
        if kind is not Type.NULL:
            hint = "NOT binds tighter than '=': write NOT (a = 'x')"
            self.fail(f"NOT needs a bool, not {_an(kind)}", tree.start, hint)
        return Compiled(Type.BOOL, lambda _message: True)

    def binary(self, tree: Binary) -> Compiled:
        if tree.operator in {"AND", "OR"}:
            return self.logical(tree)
        left, right = self.node(tree.left), self.node(tree.right)
        if tree.operator in operators.COMPARISONS:
            return self.comparison(tree, left, right)
        if tree.operator == "??":
            return self.coalesce(tree, left, right)
        if tree.operator == "||":
            self.both(tree, Type.STRING, left, right)
            return self.apply("concat", FUNCTIONS["concat"], [left, right], tree)
        self.both(tree, Type.NUMBER, left, right)
        run = operators.ARITHMETIC[tree.operator]
        if Type.BODY in {left.type, right.type}:
            if tree.operator == "%":
                self.fail("'%' cannot take a body value", tree.at, "write as_number($body.x) % 2")
            return Compiled(Type.BODY, operators.body_arithmetic(run, _as_body(left).run, _as_body(right).run))
        first, second = left.run, right.run
        return Compiled(Type.NUMBER, lambda message: run(first(message), second(message)))

    def both(self, tree: Binary, wanted: Type, left: Compiled, right: Compiled) -> None:
        """Both operands must be of the wanted type, or body values where that is allowed."""
        if all(_pairs(wanted, side.type) for side in (left, right)):
            return
        self.fail(
            f"{tree.operator!r} cannot take {_an(left.type)} and {_an(right.type)}", tree.at, self.type_hint(tree)
        )

    def comparison(self, tree: Binary, left: Compiled, right: Compiled) -> Compiled:
        self.both(tree, left.type, left, right)
        holds = operators.COMPARISONS[tree.operator]
        if Type.BODY in {left.type, right.type}:
            return Compiled(Type.BOOL, operators.body_comparison(holds, _as_body(left).run, _as_body(right).run))
        match left.type:
            case Type.STRING:
                return Compiled(Type.BOOL, operators.string_comparison(holds, left.run, right.run))
            case Type.NUMBER:
                return Compiled(Type.BOOL, operators.number_comparison(holds, left.run, right.run))
            case Type.BOOL:
                return Compiled(Type.BOOL, operators.bool_comparison(holds, left.run, right.run))
            case Type.NULL:
                outcome = holds(0, 0)
                return Compiled(Type.BOOL, lambda _message: outcome)
            case _:
                return Compiled(Type.BOOL, lambda _message: None)

    def coalesce(self, tree: Binary, left: Compiled, right: Compiled) -> Compiled:
        self.both(tree, left.type, left, right)
        if left.type is Type.UNDEFINED:
            return right
        if Type.BODY in {left.type, right.type}:
            left, right = _as_body(left), _as_body(right)
        first, second = left.run, right.run
        match left.type:
            case Type.NUMBER:
                return Compiled(
                    Type.NUMBER, lambda message: second(message) if math.isnan(value := first(message)) else value
                )
            case Type.BOOL:
                return Compiled(
                    Type.BOOL, lambda message: second(message) if (value := first(message)) is None else value
                )
            case Type.NULL:
                return left
            case _:
                return Compiled(
                    left.type, lambda message: second(message) if (value := first(message)) is UNDEFINED else value
                )

    def logical(self, tree: Binary) -> Compiled:
        """AND and OR, a whole chain of the same one at a time."""
        operands = chain(tree)
        result = self.node(operands[0])
        runs, kinds = [result.run], [result.type]
        for operand in operands[1:]:
            right = self.node(operand)
            if result.type is Type.BOOL and right.type is Type.BOOL:
                runs.append(right.run)
                kinds.append(right.type)
                result = Compiled(Type.BOOL, operators.kleene(tree.operator, runs))
            else:
                result = self.logical_pair(tree, operand, result, right)
                runs = [result.run]
        return result

    def logical_pair(self, tree: Binary, operand: Expression, left: Compiled, right: Compiled) -> Compiled:
        """The pairs that are not bool and bool; a body value may stand only on the left."""
        word = tree.operator
        if left.type is not Type.BODY and not {left.type, right.type} <= _LOGICAL:
            wrong = right if left.type in _LOGICAL else left
            hint = "write $body.flag = true, or put it on the left" if wrong.type is Type.BODY else ""
            self.fail(f"{word} needs a bool on either side, not {_an(wrong.type)}", operand.start, hint)
        nulls = (left.type is Type.NULL) + (right.type is Type.NULL)
        if left.type is Type.BODY:
            if word == "AND" and nulls:
                self.fail("AND cannot take a body value and null", operand.start)
            return Compiled(Type.BOOL, operators.body_logical(word, left.run, _as_body(right).run))
        if nulls and Type.UNDEFINED in {left.type, right.type}:
            self.fail(f"{word} cannot take null and undefined", operand.start)
        if nulls and (word == "AND" or nulls == 2):
            return Compiled(Type.NULL, lambda _message: NULL)
        if nulls:
            return right if left.type is Type.NULL else left
        return Compiled(Type.BOOL, operators.kleene(word, [_as_bool(left), _as_bool(right)]))

    def type_hint(self, tree: Expression) -> str:
        """What to do about operands that do not fit; looks for a property that is meant as something else."""
        sides = [tree.left, tree.right] if isinstance(tree, Binary) else [tree]
        if isinstance(tree, Call):
            sides = list(tree.arguments)
        for side in sides:
            if isinstance(side, Name) and (hint := hints.for_name(side.text)):
                return hint
        for side, other in zip(sides, reversed(sides), strict=True):
            if isinstance(side, (Name, System)):
                kind = other.kind if isinstance(other, Literal) else ""
                if kind in {"TRUE", "FALSE"}:
                    return f"properties are strings: write {side.text} = '{kind.lower()}'"
                if kind in {"NULL", "UNDEFINED"}:
                    return f"properties are strings: write is_null({side.text}) or is_defined({side.text})"
                return f"properties are strings: write as_number({side.text})"
        return ""


def _an(kind: Type) -> str:
    return kind.value if kind in {Type.NULL, Type.UNDEFINED} else f"a {kind.value}"


def _pairs(wanted: Type, given: Type) -> bool:
    """Whether a value of one type may stand where another is wanted."""
    return (
        wanted is given
        or (given is Type.BODY and wanted in _WITH_BODY)
        or (wanted is Type.BODY and given in _WITH_BODY)
    )


def _function_hint(name: str) -> str:
    if name.lower() == "twin_change_includes":
        return "twin_change_includes cannot be used in a route of edgeHub"
    return hints.for_name(name) or f"there are: {', '.join(sorted(FUNCTIONS))}"


def _literal(tree: Literal) -> Compiled:
    value = literal_value(tree)
    if value is UNDEFINED:
        return Compiled(Type.UNDEFINED, lambda _message: UNDEFINED)
    if value is NULL:
        return Compiled(Type.NULL, lambda _message: NULL)
    kinds = {str: Type.STRING, float: Type.NUMBER, bool: Type.BOOL}
    return Compiled(kinds[type(value)], lambda _message: value)


def literal_value(tree: Literal) -> Any:
    """What a literal stands for: a str, float or bool, NULL or UNDEFINED (also for a number that is none: e5)."""
    text = tree.text
    match tree.kind:
        case "STRING":
            plain = re.sub(r"\\[Uu]([0-9A-Fa-f]{4})", lambda match: chr(int(match[1], 16)), text[1:-1])
            return utf16.joined(re.sub(r"\\([\"'\\])", r"\1", plain))
        case "TRUE" | "FALSE":
            return tree.kind == "TRUE"
        case "NULL":
            return NULL
        case "HEX":
            number = int(text, 0)
            if number.bit_length() > 4 * _HEX_DIGITS:
                return UNDEFINED
            return float(number - (1 << 64) if number >= 1 << 63 else number)
        case "INTEGER" | "REAL":
            value = parse_number(text)
            return UNDEFINED if value is None else value
        case _:
            return UNDEFINED


def _property_or(name: str, otherwise: Evaluate) -> Evaluate:
    """The application property of that name, else something else."""
    folded = utf16.upper(name)

    def run(message: RoutingMessage) -> Any:
        value = message.property(name, folded)
        return otherwise(message) if value is UNDEFINED else value

    return run


def _as_body(value: Compiled) -> Compiled:
    """The same value held as a body value."""
    run = value.run
    match value.type:
        case Type.NUMBER:
            return Compiled(Type.BODY, lambda message: number_to_body(run(message)))
        case Type.BOOL:
            return Compiled(Type.BODY, lambda message: bool_to_body(run(message)))
        case _:
            return Compiled(Type.BODY, run)


def _as_bool(value: Compiled) -> Evaluate:
    """A bool, or the literal undefined, as a bool."""
    return value.run if value.type is Type.BOOL else lambda _message: None
