"""What operators do at run time, as closures over the closures of their operands."""

from __future__ import annotations

import math
import operator as op
from collections.abc import Callable
from typing import Any, Final

from localhub.routes.message import RoutingMessage
from localhub.routes.values import NAN, UNDEFINED, compare_bodies, compare_numbers, compare_strings

Evaluate = Callable[[RoutingMessage], Any]

COMPARISONS: Final[dict[str, Callable[[int, int], bool]]] = {
    "=": op.eq,
    "!=": op.ne,
    "<>": op.ne,
    "<": op.lt,
    "<=": op.le,
    ">": op.gt,
    ">=": op.ge,
}


def applied(function: Callable[..., Any], runs: list[Evaluate]) -> Evaluate:
    """A function of the language on the values of its arguments."""
    if len(runs) == 1:
        only = runs[0]
        return lambda message: function(only(message))
    if len(runs) == 2:
        first, second = runs
        return lambda message: function(first(message), second(message))
    return lambda message: function(*[run(message) for run in runs])


def kleene(word: str, runs: list[Evaluate]) -> Evaluate:
    """AND or OR of bools: the first that decides ends it; undefined where none does and one is undefined."""
    decisive = word == "OR"
    runs = list(runs)

    def run(message: RoutingMessage) -> Any:
        result: bool | None = not decisive
        for operand in runs:
            value = operand(message)
            if value is decisive:
                return decisive
            if value is None:
                result = None
        return result

    return run


def body_logical(word: str, left: Evaluate, right: Evaluate) -> Evaluate:
    """With a body value on the left both sides must be bools, or the whole is undefined."""

    def run(message: RoutingMessage) -> bool | None:
        first, second = left(message), right(message)
        if type(first) is not bool or type(second) is not bool:
            return None
        return bool(first and second if word == "AND" else first or second)

    return run


def string_comparison(holds: Callable[[int, int], bool], left: Evaluate, right: Evaluate) -> Evaluate:
    """Strings, neither of them null or undefined."""
    if holds in {op.eq, op.ne}:
        equal = holds is op.eq

        def same(message: RoutingMessage) -> bool | None:
            first, second = left(message), right(message)
            if type(first) is not str or type(second) is not str:
                return None
            return (first == second) is equal

        return same

    def ordered(message: RoutingMessage) -> bool | None:
        first, second = left(message), right(message)
        if type(first) is not str or type(second) is not str:
            return None
        return holds(compare_strings(first, second), 0)

    return ordered


def number_comparison(holds: Callable[[int, int], bool], left: Evaluate, right: Evaluate) -> Evaluate:
    """Numbers, neither of them NaN."""

    def run(message: RoutingMessage) -> bool | None:
        first, second = left(message), right(message)
        if math.isnan(first) or math.isnan(second):
            return None
        return holds(compare_numbers(first, second), 0)

    return run


def bool_comparison(holds: Callable[[int, int], bool], left: Evaluate, right: Evaluate) -> Evaluate:
    """Bools, neither of them undefined; true is the greater."""

    def run(message: RoutingMessage) -> bool | None:
        first, second = left(message), right(message)
        return None if first is None or second is None else holds(first, second)

    return run


def body_comparison(holds: Callable[[int, int], bool], left: Evaluate, right: Evaluate) -> Evaluate:
    """Body values, neither of them undefined, by rank and value."""

    def run(message: RoutingMessage) -> bool | None:
        first, second = left(message), right(message)
        if first is UNDEFINED or second is UNDEFINED:
            return None
        return holds(compare_bodies(first, second), 0)

    return run


def body_arithmetic(run: Callable[[float, float], float], left: Evaluate, right: Evaluate) -> Evaluate:
    """Arithmetic where one side at least is a body value: undefined unless both are numbers."""

    def both(message: RoutingMessage) -> Any:
        one, other = left(message), right(message)
        return run(one, other) if type(one) is float and type(other) is float else UNDEFINED

    return both


def _divide(left: float, right: float) -> float:
    if right:
        return left / right
    if left == 0 or math.isnan(left):
        return NAN
    return math.copysign(math.inf, left) * math.copysign(1, right)


def _remainder(left: float, right: float) -> float:
    return NAN if right == 0 or math.isinf(left) else math.fmod(left, right)


ARITHMETIC: Final[dict[str, Callable[[float, float], float]]] = {
    "+": op.add,
    "-": op.sub,
    "*": op.mul,
    "/": _divide,
    "%": _remainder,
}
