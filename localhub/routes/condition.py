"""A condition, compiled once; and why it holds or not for a message, term by term."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from localhub.routes.compiler import compile_node, compile_tree
from localhub.routes.errors import RouteError, RouteSyntaxError
from localhub.routes.message import RoutingMessage
from localhub.routes.parser import ParsedRoute, parse
from localhub.routes.syntax import Binary, Call, Expression, Literal, Name, System, Unary, chain, to_text
from localhub.routes.values import MISSING, NULL, UNDEFINED, Type

_BEFORE, _BEHIND = "FROM /messages/* WHERE ", " INTO $upstream"


@dataclass(frozen=True, slots=True)
class Term:
    """One part of a condition with its outcome for one message.

    `value` is True, False or None (undefined); `why` says what the part's properties and paths were; `decisive` marks
    the parts by which the whole came out as it did. Parts of AND, OR and NOT stand in `parts`.
    """

    text: str
    value: bool | None
    why: str
    decisive: bool
    parts: tuple[Term, ...] = ()

    def lines(self, indent: int = 0) -> list[str]:
        """The term and its parts as lines of text; decisive ones are marked with `>`."""
        outcome = "undefined" if self.value is None else str(self.value).lower()
        why = f"  ({self.why})" if self.why else ""
        own = f"{'>' if self.decisive else ' '} {'  ' * indent}{outcome:9} {self.text}{why}"
        return [own, *(line for part in self.parts for line in part.lines(indent + 1))]


class Condition:
    """A compiled condition: `evaluate` gives True, False or None (undefined) for a message."""

    __slots__ = ("evaluate", "source_text", "text", "tree")

    def __init__(self, parsed: ParsedRoute) -> None:
        """Compiles the condition of a route; raises RouteCompileError."""
        if parsed.tree is None:
            assert parsed.defect is not None
            raise parsed.defect
        self.text = parsed.condition
        self.source_text = parsed.text
        self.tree = parsed.tree
        self.evaluate = compile_tree(parsed.tree, parsed.text)

    @classmethod
    def compile(cls, text: str) -> Condition:
        """A condition as it reads in `FROM /messages/* WHERE text INTO $upstream`.

        Raises RouteSyntaxError for what cannot stand there (edgeHub refuses the document) and RouteCompileError for
        wrong types, functions and brackets. Text of no length is a condition that is always undefined.
        """
        try:
            parsed = parse(_BEFORE + text + _BEHIND) if text else parse("FROM /* WHERE undefined INTO $upstream")
            if parsed.rest:
                raise RouteSyntaxError(
                    "the condition holds an INTO",
                    text=parsed.text,
                    offset=parsed.sink_at,
                    hint="give the condition alone",
                )
            return cls(parsed)
        except RouteError as error:
            raise _alone(error, text) from None

    def explain(self, message: RoutingMessage) -> Term:
        """The outcome for a message with the outcome of every part, and which parts decided it."""
        return self._term(self.tree, message, decisive=True)

    def _term(self, tree: Expression, message: RoutingMessage, *, decisive: bool) -> Term:
        value = compile_tree(tree, self.source_text)(message)
        text = to_text(tree)
        if isinstance(tree, Binary) and tree.operator in {"AND", "OR"}:
            operands = chain(tree)
            values = [compile_tree(operand, self.source_text)(message) for operand in operands]
            deciders = _deciders(tree.operator, values, value)
            parts = tuple(
                self._term(operand, message, decisive=decisive and index in deciders)
                for index, operand in enumerate(operands)
            )
            return Term(text, value, "", decisive, parts)
        if isinstance(tree, Unary) and tree.operator == "NOT":
            return Term(text, value, "", decisive, (self._term(tree.operand, message, decisive=decisive),))
        return Term(text, value, self._why(tree, message), decisive)

    def _why(self, tree: Expression, message: RoutingMessage) -> str:
        """What the properties and paths of a term were, and what stood in the way of reading them."""
        facts: list[str] = []
        for leaf in _leaves(tree):
            found = compile_node(leaf, self.source_text)
            value = found.run(message)
            fact = f"{to_text(leaf)} is {shown(value)}"
            if found.type is Type.BODY and value is UNDEFINED:
                fact += f": {message.body_obstacle() or 'an object, array, date or more than one value'}"
            if fact not in facts:
                facts.append(fact)
        return "; ".join(facts)


def _alone(error: RouteError, text: str) -> RouteError:
    """A mistake in the route round a condition, told about the condition alone."""
    offset = error.offset - len(_BEFORE)
    problem = error.problem
    if offset > len(text):  # what was found there is our own INTO
        problem, offset = problem.replace("found 'INTO'", "found the end of the text"), len(text)
    return type(error)(problem, text=text, offset=max(0, offset), hint=error.hint)


def shown(value: Any) -> str:
    """A value in the words of the route language."""
    if value is UNDEFINED:
        return "not there"
    if value is MISSING:
        return "not there, which counts as null"
    if value is NULL or value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, str) else f"{value:g}"


def _leaves(tree: Expression) -> list[Name | System]:
    match tree:
        case Name() | System():
            return [tree]
        case Call():
            return [leaf for argument in tree.arguments for leaf in _leaves(argument)]
        case Unary():
            return _leaves(tree.operand)
        case Binary():
            return _leaves(tree.left) + _leaves(tree.right)
        case Literal():
            return []


def _deciders(word: str, values: list[bool | None], outcome: bool | None) -> set[int]:  # noqa: FBT001 - a value
    """Which operands made the outcome: the first that settles it, else all that kept it from being settled."""
    settles = word == "OR"
    if outcome is settles:
        return {values.index(settles)} if settles in values else set(range(len(values)))
    if outcome is None:
        open_ones = {index for index, value in enumerate(values) if value is None}
        return open_ones or set(range(len(values)))
    return set(range(len(values)))
