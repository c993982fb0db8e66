"""Conditions that compile and yet can never hold, or always do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from localhub.manifest.manifest import Manifest
from localhub.manifest.problem import Problem, error, warning
from localhub.manifest.rules.conditions import walk
from localhub.manifest.rules.routes import NamedRoute, parsed
from localhub.routes.syntax import Binary, Call, Expression, Literal, Name, System, Unary, to_text

_ARITHMETIC: Final = frozenset({"+", "-", "*", "/", "%", "||"})
_BOOLEAN: Final = frozenset(
    {"is_bool", "is_defined", "is_null", "is_number", "is_string", "contains", "starts_with", "ends_with"}
)
_WORDS: Final = frozenset({"true", "false", "null", "undefined"})
# The short names of a topic's bag (MessageAddressConverter.cs), which are no names in conditions.
_LONG_NAMES: Final = {
    "$cid": "$correlationId",
    "$mid": "$messageId",
    "$uid": "$userId",
    "$ct": "$contentType",
    "$ce": "$contentEncoding",
    "$on": "$outputName",
    "$cdid": "$connectionDeviceId",
    "$cmid": "$connectionModuleId",
    "$ctime": "$creationTime",
    "$schema": "$messageSchema",
    "$exp": "$absolute-expiry-time",
}


def check(manifest: Manifest) -> Iterator[Problem]:
    """Asks it of every route that parses."""
    for named in parsed(manifest):
        tree = named.route.parsed.tree
        if tree is None:
            continue
        if is_no_truth(tree):
            said = f"route {named.name}: {to_text(tree)!r} is never true, so the route takes nothing"
            hint = "compare it with something, as kind = 'alert', or write is_defined(kind)"
            yield error("route-never", named.place(tree.start), said, hint)
        for node in walk(tree):
            yield from _word(named, node)
            yield from _short_name(named, node)
            yield from _body_test(named, node)


def is_no_truth(tree: Expression) -> bool:
    """Whether the value of a whole condition is no boolean, whatever the message (ConditionVisitor.cs)."""
    match tree:
        case Literal():
            return tree.kind != "TRUE"
        case Name():
            return True
        case System():
            return not tree.text.lower().startswith("$body.")
        case Call():
            return tree.function.lower() not in _BOOLEAN
        case Unary():
            return tree.operator == "-"
        case Binary():
            return tree.operator in _ARITHMETIC


def _word(named: NamedRoute, node: Expression) -> Iterator[Problem]:
    """`flag = TRUE` reads a property called TRUE."""
    if isinstance(node, Name) and node.text.lower() in _WORDS:
        word = node.text.lower()
        said = f"route {named.name}: {node.text} is read as a property; only {word} in lower case is a value"
        hint = f"write '{word}' beside a property, which is always text, and {word} beside $body"
        yield error("route-word", named.place(node.start), said, hint)


def _short_name(named: NamedRoute, node: Expression) -> Iterator[Problem]:
    """`$cid` is a name in a topic, not in a condition."""
    if isinstance(node, System) and (long_name := _LONG_NAMES.get(node.text.lower())) is not None:
        said = f"route {named.name}: there is no system property {node.text} in conditions"
        yield error("route-system-name", named.place(node.start), said, f"write {long_name}")


def _body_test(named: NamedRoute, node: Expression) -> Iterator[Problem]:
    """A missing path is a null that is defined, and is_null of a body value answers the reverse."""
    if not isinstance(node, Call) or node.function.lower() not in {"is_null", "is_defined"}:
        return
    for argument in node.arguments:
        if isinstance(argument, System) and argument.text.lower().startswith("$body."):
            says = (
                "is true for every value that is there, and false where the path is missing"
                if node.function.lower() == "is_null"
                else "is true for every message with a JSON body, the path missing or not"
            )
            said = f"route {named.name}: {to_text(node)} {says}"
            hint = f"write {argument.text} = null, or {argument.text} <> null"
            yield warning("route-body-test", named.place(node.start), said, hint)
