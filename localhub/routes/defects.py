"""Wrong conditions that edgeHub's route grammar lets through, to be refused only when the router compiles.

The grammar (Routing.Core/grammar/Condition.g4) has alternatives of its own for common mistakes: a character it does
not know may stand as an operand, before one or between two; a closing bracket may be missing; one may be too many
right behind another bracket; a string may lack its end. A text that needs one of them passes as a route - status 200
is reported - and fails at compile time. This recogniser tells such a text from one that fails at once.
"""

from __future__ import annotations

from typing import Final

from localhub.routes.lexer import Token
from localhub.routes.syntax import PRECEDENCE

_ATOMS: Final = frozenset(
    {"STRING", "UNTERMINATED", "INTEGER", "REAL", "HEX", "TRUE", "FALSE", "NULL", "UNDEFINED"}
    | {"SYSTEM", "NAME", "UNKNOWN"}
)
_PREFIXES: Final = frozenset({"-", "NOT", "UNKNOWN", "("})
_INFIXES: Final = frozenset(PRECEDENCE) | {"UNKNOWN"}
_MOST_TOKENS: Final = 2000  # the search is cubic at worst; a text this long and wrong is refused at once


def end_of_condition(tokens: list[Token], begin: int) -> int | None:
    """Index of the INTO that ends the condition beginning at `begin`; None where the grammar refuses the text."""
    if len(tokens) > _MOST_TOKENS:
        return None
    ends = _Search(tokens).expression(begin)
    return next((end for end in sorted(ends) if tokens[end].kind == "INTO"), None)


class _Search:
    """All the places where a condition that begins at a given token may end, mistakes allowed."""

    def __init__(self, tokens: list[Token]) -> None:
        self.kinds = [token.kind for token in tokens]
        self.expressions: dict[int, frozenset[int]] = {}
        self.operands: dict[int, frozenset[int]] = {}

    def expression(self, begin: int) -> frozenset[int]:
        """What `operand (infix operand)*` may end at."""
        if begin not in self.expressions:
            found: set[int] = set()
            fresh = set(self.operand(begin))
            while fresh:
                found |= fresh
                fresh = {
                    end for here in fresh if self.kinds[here] in _INFIXES for end in self.operand(here + 1)
                } - found
            self.expressions[begin] = frozenset(found)
        return self.expressions[begin]

    def operand(self, begin: int) -> frozenset[int]:
        """What `prefix* atom` may end at; prefixes are walked in a loop, last one first, to cost no recursion."""
        last = begin
        while last not in self.operands and self.kinds[last] in _PREFIXES:
            last += 1
        for here in range(last, begin - 1, -1):
            if here in self.operands:
                continue
            ends = set(self.atom(here))
            if self.kinds[here] in _PREFIXES:
                ends |= self.operands[here + 1]
            self.operands[here] = frozenset(ends)
        return self.operands[begin]

    def atom(self, begin: int) -> set[int]:
        kind = self.kinds[begin]
        if kind == "{":
            return {begin + 3} if self.kinds[begin + 1 : begin + 3] == ["SYSTEM", "}"] else set()
        if kind == "(":
            return self.closed(set(self.expression(begin + 1)))
        ends = {begin + 1} if kind in _ATOMS else set()
        if kind == "NAME" and self.kinds[begin + 1] == "(":
            ends |= self.closed(self.arguments(begin + 2))
        return ends

    def arguments(self, begin: int) -> set[int]:
        """What `[expression (',' expression)*]` may end at."""
        found = {begin}
        fresh = set(self.expression(begin))
        while fresh:
            found |= fresh
            fresh = {end for here in fresh if self.kinds[here] == "," for end in self.expression(here + 1)} - found
        return found

    def closed(self, inner: set[int]) -> set[int]:
        """Behind the closing bracket, and behind one bracket too many."""
        once = {end + 1 for end in inner if self.kinds[end] == ")"}
        return once | {end + 1 for end in once if self.kinds[end] == ")"}
