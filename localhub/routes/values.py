"""The values a condition computes with, and how edgeHub compares them (Routing.Core/query/**, C#).

A static type decides how a value is held here:

| type      | Python                            | undefined is |
|-----------|-----------------------------------|--------------|
| STRING    | str, None for a null property     | UNDEFINED    |
| NUMBER    | float                             | NaN          |
| BOOL      | True, False                       | None         |
| NULL      | NULL                              | -            |
| UNDEFINED | UNDEFINED                         | always       |
| BODY      | UNDEFINED, bool, float, str or None (a null property), NULL, MISSING (no such path) | UNDEFINED |

A body value of one type is never converted to another: types have a rank, bool < number < string < null.
"""

from __future__ import annotations

import enum
import math
from typing import Any, Final


class Type(enum.Enum):
    """What the compiler knows about a value; the value is the name errors use."""

    STRING = "string"
    NUMBER = "number"
    BOOL = "bool"
    NULL = "null"
    UNDEFINED = "undefined"
    BODY = "body value"


class Special(enum.Enum):
    """Values that Python has no own for."""

    UNDEFINED = "undefined"
    NULL = "null"
    MISSING = "missing"


UNDEFINED: Final = Special.UNDEFINED
NULL: Final = Special.NULL
MISSING: Final = Special.MISSING
NAN: Final = math.nan

_RANKS: Final = {bool: 1, float: 2, str: 3, type(None): 3, Special: 4}


def number_to_body(value: float) -> Any:
    """A static number as a body value."""
    return UNDEFINED if value != value else value  # noqa: PLR0124 - the quickest test for NaN


def bool_to_body(value: bool | None) -> Any:  # noqa: FBT001 - it is the value itself
    """A static bool as a body value."""
    return UNDEFINED if value is None else value


def compare_strings(left: str | None, right: str | None) -> int:
    """Ordinal comparison by UTF-16 unit, a null below every string."""
    if left == right:
        return 0
    if left is None or right is None:
        return -1 if left is None else 1
    if left.isascii() or right.isascii():
        return -1 if left < right else 1
    return -1 if left.encode("utf-16-be", "surrogatepass") < right.encode("utf-16-be", "surrogatepass") else 1


def compare_numbers(left: float, right: float) -> int:
    """As .NET compares doubles: NaN equals NaN and is below every number."""
    if left < right:
        return -1
    if left > right:
        return 1
    if left == right:
        return 0
    if math.isnan(left):
        return 0 if math.isnan(right) else -1
    return 1


def compare_bodies(left: Any, right: Any) -> int:
    """Two defined body values: by rank, and by value where the rank is the same."""
    rank, other = _RANKS[type(left)], _RANKS[type(right)]
    if rank != other:
        return -1 if rank < other else 1
    if rank == _RANKS[float]:
        return compare_numbers(left, right)
    if rank == _RANKS[str]:
        return compare_strings(left, right)
    if rank == _RANKS[bool]:
        return int(left) - int(right)
    return 0
