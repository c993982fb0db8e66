"""The functions of the route language (Routing.Core/query/builtins/*.cs).

A function is a list of overloads; the first that fits the argument types is taken. Most take body values in place of
what they name, and then get every argument as a body value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from localhub.routes import utf16
from localhub.routes.numbers import parse_number
from localhub.routes.values import MISSING, NAN, UNDEFINED, Type

_S, _N, _B = Type.STRING, Type.NUMBER, Type.BOOL


@dataclass(frozen=True, slots=True)
class Overload:
    """One way to call a function.

    `parameters` are the argument types (None: any one argument); with `variadic` the last repeats, or stays away.
    With `bodies` a body value fits every parameter and all arguments arrive as body values.
    """

    parameters: tuple[Type, ...] | None
    result: Type
    run: Callable[..., Any]
    bodies: bool = True
    variadic: bool = False

    def fits(self, given: Sequence[Type]) -> bool:
        """Whether arguments of these types may be given."""
        if self.parameters is None:
            return len(given) == 1
        wanted = self.parameters
        if self.variadic:
            fixed = len(wanted) - 1
            if len(given) < fixed:
                return False
            wanted = wanted[:fixed] + (wanted[fixed],) * (len(given) - fixed)
        return len(wanted) == len(given) and all(
            have is want or (self.bodies and have is Type.BODY) for want, have in zip(wanted, given, strict=True)
        )

    def __str__(self) -> str:
        if self.parameters is None:
            return "anything"
        return ", ".join(kind.value for kind in self.parameters) + (", ..." if self.variadic else "")


def _on_number(run: Callable[[float], float]) -> Callable[[Any], float]:
    return lambda value: run(value) if type(value) is float else NAN


def _rounded(run: Callable[[float], int]) -> Callable[[Any], float]:
    return _on_number(lambda value: float(run(value)) if math.isfinite(value) else value)


def _exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def power(base: float, exponent: float) -> float:
    """As C's pow: infinite or NaN where Python raises."""
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return -math.inf if base < 0 and exponent % 2 == 1 else math.inf
    except ValueError:
        if base != 0:
            return NAN
        return -math.inf if math.copysign(1, base) < 0 and exponent % 2 == 1 else math.inf


def _power(base: Any, exponent: Any) -> float:
    return power(base, exponent) if type(base) is float and type(exponent) is float else NAN


def _sign(value: float) -> float:
    return NAN if math.isnan(value) else float((value > 0) - (value < 0))


def _as_number(value: Any) -> float:
    if type(value) is str:
        number = parse_number(value)
        return NAN if number is None else number
    return value if type(value) is float else NAN


def _is_bool(value: Any) -> bool | None:
    return None if value is UNDEFINED else type(value) is bool


def _is_null_body(value: Any) -> bool | None:
    # Upstream compares with the one object that stands for a missing path: all else that is defined counts as null.
    return None if value is UNDEFINED else value is not MISSING


def _is_number(value: Any) -> bool:
    return type(value) is float and math.isfinite(value)


def _concat(*values: Any) -> Any:
    if all(type(value) is str or value is None for value in values):
        return utf16.joined("".join(value or "" for value in values))
    return UNDEFINED


def _on_strings(run: Callable[[str, str], Any], otherwise: Any) -> Callable[[Any, Any], Any]:
    return lambda text, part: run(text, part) if type(text) is str and type(part) is str else otherwise


def _on_string(run: Callable[[str], Any], otherwise: Any) -> Callable[[Any], Any]:
    return lambda text: run(text) if type(text) is str else otherwise


def _substring_from(text: Any, start: Any) -> Any:
    if type(text) is not str or type(start) is not float or not 0 <= start <= utf16.length(text):
        return UNDEFINED
    return utf16.cut(text, int(start))


def _substring(text: Any, start: Any, length: Any) -> Any:
    if type(text) is not str or type(start) is not float or type(length) is not float:
        return UNDEFINED
    whole = utf16.length(text)
    if not 0 <= start < whole or not 0 <= length <= whole - start:
        return UNDEFINED
    return utf16.cut(text, int(start), int(start) + int(length))


def _false(_value: Any) -> bool:
    return False


def _true(_value: Any) -> bool:
    return True


def _math(run: Callable[[Any], float]) -> tuple[Overload, ...]:
    return (Overload((_N,), _N, run),)


def _test(kind: Type, run: Callable[[Any], bool | None]) -> tuple[Overload, ...]:
    return Overload((kind,), _B, run), Overload(None, _B, _false, bodies=False)


def _search(run: Callable[[str, str], bool]) -> tuple[Overload, ...]:
    return (Overload((_S, _S), _B, _on_strings(run, None)),)


FUNCTIONS: Final[dict[str, tuple[Overload, ...]]] = {
    "abs": _math(_on_number(abs)),
    "exp": _math(_on_number(_exp)),
    "power": (Overload((_N, _N), _N, _power),),
    "square": _math(_on_number(lambda value: value * value)),
    "ceiling": _math(_rounded(math.ceil)),
    "floor": _math(_rounded(math.floor)),
    "sign": _math(_on_number(_sign)),
    "sqrt": _math(_on_number(lambda value: math.sqrt(value) if value >= 0 else NAN)),
    "as_number": (Overload((_S,), _N, _as_number), Overload((_N,), _N, lambda value: value, bodies=False)),
    "is_bool": _test(_B, _is_bool),
    "is_defined": (
        Overload((_S,), _B, lambda value: value is not UNDEFINED, bodies=False),
        Overload((_N,), _B, lambda value: not math.isnan(value), bodies=False),
        Overload((_B,), _B, lambda value: value is not None, bodies=False),
        Overload((Type.UNDEFINED,), _B, _false, bodies=False),
        Overload((Type.NULL,), _B, _true, bodies=False),
        Overload((Type.BODY,), _B, lambda value: value is not UNDEFINED, bodies=False),
    ),
    "is_null": (
        Overload((_S,), _B, lambda value: value is None, bodies=False),
        Overload((Type.BODY,), _B, _is_null_body, bodies=False),
        Overload((Type.NULL,), _B, _true, bodies=False),
        Overload(None, _B, _false, bodies=False),
    ),
    "is_number": _test(_N, _is_number),
    "is_string": _test(_S, lambda value: type(value) is str),
    "concat": (Overload((_S, _S, _S), _S, _concat, variadic=True),),
    "length": (Overload((_S,), _N, _on_string(lambda text: float(utf16.length(text)), NAN)),),
    "lower": (Overload((_S,), _S, _on_string(utf16.lower, UNDEFINED)),),
    "upper": (Overload((_S,), _S, _on_string(utf16.upper, UNDEFINED)),),
    "substring": (Overload((_S, _N), _S, _substring_from), Overload((_S, _N, _N), _S, _substring)),
    "index_of": (Overload((_S, _S), _N, _on_strings(lambda text, part: float(utf16.index(text, part)), NAN)),),
    "starts_with": _search(str.startswith),
    "ends_with": _search(str.endswith),
    "contains": _search(lambda text, part: part in text),
}
