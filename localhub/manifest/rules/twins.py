"""The sections of the modules: desired properties as a twin takes them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from localhub.manifest.layers import AGENT, DESIRED, HUB
from localhub.manifest.manifest import Manifest
from localhub.manifest.positions import Path
from localhub.manifest.problem import Problem, error, warning

MOST_BYTES: Final = 32 * 1024
DEEPEST: Final = 10
_BAD_NAME: Final = re.compile(r"[\x00-\x1f\x7f-\x9f.$# ]")


def check(manifest: Manifest) -> Iterator[Problem]:
    """Every section but the two system modules'."""
    tree = manifest.tree
    modules = manifest.modules()
    for name, sections in tree.value.items():
        path: Path = (name, DESIRED)
        if name in {AGENT, HUB}:
            continue
        if name.startswith("$"):
            hint = f"only {AGENT} and {HUB} begin with $"
            yield error("section", tree.place((name,)), f"there is no system module {name!r}", hint)
        elif modules and name not in modules:
            known = ", ".join(modules)
            said = f"there is a twin for {name!r} but no such module"
            yield warning("section", tree.place((name,)), said, f"the modules are {known}")
        desired = sections.get(DESIRED)
        if not isinstance(desired, dict):
            yield error("twin", tree.place(path), "desired properties must be an object", "write {...}")
            continue
        yield from _names(manifest, path, desired, 1)
        size = len(json.dumps(desired, separators=(",", ":"), ensure_ascii=False).encode())
        if size > MOST_BYTES:
            hint = "keep long lists in a file on a volume and name it here"
            yield error("twin", tree.place(path), f"desired properties have {size} bytes, over {MOST_BYTES}", hint)


def _names(manifest: Manifest, path: Path, value: Any, depth: int) -> Iterator[Problem]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _names(manifest, (*path, index), item, depth)
        return
    if not isinstance(value, dict):
        return
    if depth > DEEPEST:
        yield error("twin", manifest.tree.place(path), f"nested deeper than {DEEPEST} levels", "make it flatter")
        return
    for name, member in value.items():
        here = (*path, name)
        if not name or _BAD_NAME.search(name):
            hint = "leave out . $ # blanks and control characters"
            yield error("twin", manifest.tree.place(here), f"a property cannot be called {name!r}", hint)
        yield from _names(manifest, here, member, depth + 1)
