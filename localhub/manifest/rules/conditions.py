"""Conditions that compile and yet do not do what they seem to say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from localhub.manifest.manifest import Manifest
from localhub.manifest.problem import Problem, error, warning
from localhub.manifest.rules.routes import NamedRoute, parsed
from localhub.routes.numbers import parse_number
from localhub.routes.syntax import Binary, Call, Expression, Literal, Name, System, Unary, chain, to_text

_ORDER: Final = frozenset({"<", "<=", ">", ">="})
_GLUED: Final = frozenset("+-*%!|&")
# Inside a name these are an operator or a quote without spaces; a dash there is common, as in my-property.
_GLUED_INSIDE: Final = frozenset("+*%!|&'")
_TESTS: Final = frozenset({"is_number", "is_string", "is_bool"})
# With the path on the left, what a missing path (a null, above everything) makes true; mirrored for the right.
_TRUE_FOR_NULL: Final = {"left": frozenset({">", ">=", "!=", "<>"}), "right": frozenset({"<", "<=", "!=", "<>"})}


def check(manifest: Manifest) -> Iterator[Problem]:
    """Traps in the conditions of routes that compile."""
    for named in parsed(manifest):
        tree = named.route.parsed.tree
        if tree is not None:
            yield from _glued(named, tree)
            yield from _texts_in_order(named, tree)
            yield from _missing_paths(named, tree, frozenset())


def _glued(named: NamedRoute, tree: Expression) -> Iterator[Problem]:
    """`unit!='F'` reads the property `unit!`."""
    for node in walk(tree):
        if isinstance(node, (Name, System)) and _is_glued(node.text):
            said = f"route {named.name}: {node.text!r} is read as one name, which no message has"
            hint = "put spaces round operators: names may contain + - * % ! | & ' ."
            yield error("route-glued", named.place(node.start), said, hint)


def _is_glued(name: str) -> bool:
    if name[0] in _GLUED or name[-1] in _GLUED or not _GLUED_INSIDE.isdisjoint(name):
        return True
    return name[0].isdigit() and "-" in name  # 5-3


def _texts_in_order(named: NamedRoute, tree: Expression) -> Iterator[Problem]:
    """`temp > '20'` compares letter by letter."""
    for node in walk(tree):
        if isinstance(node, Binary) and node.operator in _ORDER:
            for side, other in ((node.left, node.right), (node.right, node.left)):
                if (
                    isinstance(side, (Name, System))
                    and isinstance(other, Literal)
                    and other.kind == "STRING"
                    and parse_number(other.text[1:-1]) is not None
                ):
                    said = f"route {named.name}: {to_text(node)!r} compares letter by letter, '9' above '20'"
                    hint = f"write as_number({side.text}) {node.operator} {other.text[1:-1]}"
                    yield warning("route-text-order", named.place(node.start), said, hint)


def _missing_paths(named: NamedRoute, tree: Expression, guarded: frozenset[str]) -> Iterator[Problem]:
    """`$body.x > 100` is true for a message without x, unless the path was tested before."""
    if isinstance(tree, Binary) and tree.operator == "AND":
        operands = chain(tree)
        tested = guarded.union(*(_tested(operand) for operand in operands))
        for operand in operands:
            yield from _missing_paths(named, operand, tested)
        return
    if isinstance(tree, Binary):
        for side, path, other in (("left", tree.left, tree.right), ("right", tree.right, tree.left)):
            if (
                tree.operator in _TRUE_FOR_NULL[side]
                and isinstance(path, System)
                and path.text.lower().startswith("$body.")
                and path.text not in guarded
                and not (isinstance(other, Literal) and other.kind == "NULL")
            ):
                said = f"route {named.name}: {to_text(tree)!r} is true for a message without {path.text}"
                hint = f"write is_number({path.text}) AND {to_text(tree)} (or is_string, as it should be)"
                yield warning("route-body-missing", named.place(tree.start), said, hint)
    for child in _children(tree):
        yield from _missing_paths(named, child, guarded)


def _tested(tree: Expression) -> frozenset[str]:
    """The body paths that a term makes sure of."""
    if isinstance(tree, Call) and tree.function.lower() in _TESTS:
        return frozenset(argument.text for argument in tree.arguments if isinstance(argument, System))
    if isinstance(tree, Binary) and tree.operator in {"!=", "<>"}:
        for side, other in ((tree.left, tree.right), (tree.right, tree.left)):
            if isinstance(side, System) and isinstance(other, Literal) and other.kind == "NULL":
                return frozenset({side.text})
    return frozenset()


def _children(tree: Expression) -> list[Expression]:
    match tree:
        case Call():
            return list(tree.arguments)
        case Unary():
            return [tree.operand]
        case Binary():
            return [tree.left, tree.right]
        case _:
            return []


def walk(tree: Expression) -> Iterator[Expression]:
    """Every node, without recursion: a condition may be a long chain."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += reversed(_children(node))


def mentions(tree: Expression | None, names: frozenset[str]) -> bool:
    """Whether a condition asks for one of these properties (lower case, without $)."""
    if tree is None:
        return False
    return any(isinstance(node, (Name, System)) and node.text.lstrip("$").lower() in names for node in walk(tree))


def uses_body(tree: Expression | None) -> bool:
    """Whether a condition looks into the body."""
    if tree is None:
        return False
    return any(isinstance(node, System) and node.text.lower().startswith("$body.") for node in walk(tree))
