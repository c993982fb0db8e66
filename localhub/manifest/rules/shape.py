"""Small checks of shape that the rules share."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from localhub.manifest.layers import Tree
from localhub.manifest.positions import Path
from localhub.manifest.problem import Problem, error


def is_object(tree: Tree, path: Path, value: Any, rule: str) -> Iterator[Problem]:
    """Complains unless the value is an object."""
    if not isinstance(value, dict):
        yield error(rule, tree.place(path), f"{path[-1]!s} must be an object", "write {...}")


def members(
    tree: Tree,
    path: Path,
    value: dict[str, Any],
    rule: str,
    *,
    required: Collection[str],
    allowed: Collection[str] = (),
) -> Iterator[Problem]:
    """Complains about members that are missing, and about those that are neither required nor allowed."""
    for name in required:
        if name not in value:
            yield error(rule, tree.place(path), f"{path[-1]!s} has no {name}", f"add {name!r}")
    for name in value:
        if name not in required and name not in allowed:
            known = ", ".join([*required, *allowed])
            hint = f"az iot edge set-modules refuses it; known are {known}"
            yield error(
                "unknown-member", tree.place((*path, name)), f"{path[-1]!s} has an unknown member {name!r}", hint
            )


def one_of(tree: Tree, path: Path, value: Any, rule: str, choices: Collection[str]) -> Iterator[Problem]:
    """Complains unless the value is one of the choices."""
    if value not in choices:
        yield error(rule, tree.place(path), f"{path[-1]!s} is {value!r}", f"write {' or '.join(choices)}")


def whole(tree: Tree, path: Path, value: Any, rule: str, low: int, high: int) -> Iterator[Problem]:
    """Complains unless the value is a whole number within bounds."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        yield error(rule, tree.place(path), f"{path[-1]!s} is {value!r}", f"write a whole number from {low} to {high}")


def text(tree: Tree, path: Path, value: Any, rule: str) -> Iterator[Problem]:
    """Complains unless the value is a string that is not blank."""
    if not isinstance(value, str) or not value.strip():
        yield error(rule, tree.place(path), f"{path[-1]!s} is {value!r}", "write a text in quotes")
