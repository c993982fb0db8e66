"""The tree of a condition and its text form: `parse(print(tree))` gives the tree back.

Every node knows where it stands: `start` and `end` are offsets in the text it was read from, brackets round it
included. They do not count when two trees are compared.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

# Binding strength of the binary operators, strongest last (Routing.Core/grammar/Condition.g4).
PRECEDENCE: Final[dict[str, int]] = {
    "??": 1,
    "OR": 2,
    "AND": 3,
    "=": 4,
    "!=": 4,
    "<>": 4,
    "<": 5,
    "<=": 5,
    ">": 5,
    ">=": 5,
    "+": 6,
    "-": 6,
    "||": 6,
    "*": 7,
    "/": 7,
    "%": 7,
}
_PREFIX: Final = 8
_ATOM: Final = 9


@dataclass(frozen=True, slots=True)
class Literal:
    """A literal as written; kind is STRING, INTEGER, REAL, HEX, TRUE, FALSE, NULL or UNDEFINED."""

    kind: str
    text: str
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Name:
    """`name`: an application property."""

    text: str
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class System:
    """`$name` or, escaped, `{$name}`: body query, system property or (unescaped) an application property so called."""

    text: str
    escaped: bool
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """`function(argument, ...)`."""

    function: str
    arguments: tuple[Expression, ...]
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Unary:
    """`- operand` or `NOT operand`."""

    operator: str
    operand: Expression
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Binary:
    """`left operator right`, keywords in upper case; `at` is the operator's own offset."""

    operator: str
    left: Expression
    right: Expression
    at: int = field(default=0, compare=False)
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


Expression = Literal | Name | System | Call | Unary | Binary


def chain(node: Binary) -> list[Expression]:
    """The operands of `a AND b AND c`, left to right: a long chain must not cost a level of recursion per operand."""
    operands: list[Expression] = []
    here: Expression = node
    while isinstance(here, Binary) and here.operator == node.operator:
        operands.append(here.right)
        here = here.left
    operands.append(here)
    operands.reverse()
    return operands


def to_text(node: Expression) -> str:
    """The text of a condition, with a space round every operator and no bracket that is not needed."""
    match node:
        case Literal() | Name():
            return node.text
        case System():
            return f"{{{node.text}}}" if node.escaped else node.text
        case Call():
            return f"{node.function}({', '.join(to_text(argument) for argument in node.arguments)})"
        case Unary():
            return f"{node.operator} {_bracketed(node.operand, _PREFIX)}"
        case Binary():
            level = PRECEDENCE[node.operator]
            first, *others = chain(node)
            parts = [_bracketed(first, level), *(_bracketed(other, level + 1) for other in others)]
            return f" {node.operator} ".join(parts)


def _bracketed(node: Expression, level: int) -> str:
    """The text of `node` as an operand that must bind at least as tightly as `level`."""
    own = _PREFIX if isinstance(node, Unary) else _ATOM
    if isinstance(node, Binary):
        own = PRECEDENCE[node.operator]
    return to_text(node) if own >= level else f"({to_text(node)})"
