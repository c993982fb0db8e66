"""The entries of modules and systemModules: names, fields, images, environment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from localhub.manifest.layers import AGENT, DESIRED
from localhub.manifest.manifest import MODULES, SYSTEM_MODULES, Manifest
from localhub.manifest.options import fields_of
from localhub.manifest.positions import Path
from localhub.manifest.problem import Problem, error
from localhub.manifest.rules import shape

_NAME: Final = re.compile(r"[a-zA-Z0-9_-]+")
_ENV_NAME: Final = re.compile(r"[^+#$\s.]+")
_IMAGE: Final = re.compile(
    r"(?:(?:[a-zA-Z0-9.-]+(?::[0-9]+)?|\[[0-9a-fA-F:]+\](?::[0-9]+)?|\$upstream(?::[0-9]+)?)/)?"
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
_RESERVED: Final = frozenset({"edgeagent", "edgehub"})
_STATUS: Final = ("running", "stopped")
_RESTART: Final = ("never", "on-failure", "on-unhealthy", "always")
_PULL: Final = ("on-create", "never")
_LAST: Final = 2**32 - 1

# (required, allowed) members of an entry, by where it stands.
_MEMBERS: Final = {
    "module": (
        ("type", "status", "restartPolicy", "settings"),
        ("version", "env", "imagePullPolicy", "startupOrder"),
    ),
    "edgeAgent": (("type", "settings"), ("env", "imagePullPolicy")),
    "edgeHub": (("type", "settings", "status", "restartPolicy"), ("env", "imagePullPolicy", "startupOrder")),
}


def check(manifest: Manifest) -> Iterator[Problem]:
    """User modules, then system modules."""
    desired = manifest.tree.get((AGENT, DESIRED))
    for root in (MODULES, SYSTEM_MODULES):
        if isinstance(desired, dict) and root[-1] in desired:
            yield from shape.is_object(manifest.tree, root, desired[root[-1]], "module-entry")
    for name, entry in _entries(manifest, MODULES):
        path: Path = (*MODULES, name)
        yield from _name(manifest, path, name)
        yield from _entry(manifest, path, entry, "module")
    present = {name for name, _ in _entries(manifest, SYSTEM_MODULES)}
    if isinstance(manifest.tree.get((AGENT, DESIRED, "systemModules")), dict):
        for name in ("edgeAgent", "edgeHub"):
            if name not in present:
                place = manifest.tree.place(SYSTEM_MODULES)
                yield error("system-modules", place, f"systemModules has no {name}", "add it with its image")
    for name, entry in _entries(manifest, SYSTEM_MODULES):
        if name not in _MEMBERS:
            place = manifest.tree.place((*SYSTEM_MODULES, name))
            yield error("system-modules", place, f"{name!r} is no system module", "move it to modules")
            continue
        yield from _entry(manifest, (*SYSTEM_MODULES, name), entry, name)


def _entries(manifest: Manifest, path: Path) -> list[tuple[str, Any]]:
    entries = manifest.tree.get(path)
    return list(entries.items()) if isinstance(entries, dict) else []


def _name(manifest: Manifest, path: Path, name: str) -> Iterator[Problem]:
    place = manifest.tree.place(path)
    if _NAME.fullmatch(name) is None:
        hint = "use letters, digits, - and _; az iot edge set-modules refuses the rest"
        yield error("module-name", place, f"a module cannot be called {name!r}", hint)
    elif name.lower() in _RESERVED:
        yield error("module-name", place, f"{name!r} is the name of a system module", "choose another")


def _entry(manifest: Manifest, path: Path, entry: Any, kind: str) -> Iterator[Problem]:
    tree = manifest.tree
    yield from shape.is_object(tree, path, entry, "module-entry")
    if not isinstance(entry, dict):
        return
    required, allowed = _MEMBERS[kind]
    yield from shape.members(tree, path, entry, "module", required=required, allowed=allowed)
    for member, choices in (
        ("type", ("docker",)),
        ("status", _STATUS),
        ("restartPolicy", _RESTART),
        ("imagePullPolicy", _PULL),
    ):
        if member in entry:
            yield from shape.one_of(tree, (*path, member), entry[member], "module-value", choices)
    if "startupOrder" in entry:
        yield from shape.whole(tree, (*path, "startupOrder"), entry["startupOrder"], "module-value", 0, _LAST)
    if "version" in entry:
        yield from shape.text(tree, (*path, "version"), entry["version"], "module")
    if "env" in entry:
        yield from _env(manifest, (*path, "env"), entry["env"])
    yield from _settings(manifest, (*path, "settings"), entry.get("settings"))


def _env(manifest: Manifest, path: Path, env: Any) -> Iterator[Problem]:
    tree = manifest.tree
    yield from shape.is_object(tree, path, env, "env")
    for name, variable in env.items() if isinstance(env, dict) else ():
        place = tree.place((*path, name))
        if _ENV_NAME.fullmatch(name) is None:
            yield error("env", place, f"a variable cannot be called {name!r}", "leave out + # $ . and blanks")
        if not isinstance(variable, dict) or not isinstance(variable.get("value"), (str, int, float)):
            yield error("env", place, f"{name} has no value", f'write "{name}": {{"value": "..."}}')
        elif len(variable) > 1:
            yield from shape.members(tree, (*path, name), variable, "module", required=("value",))


def _settings(manifest: Manifest, path: Path, settings: Any) -> Iterator[Problem]:
    tree = manifest.tree
    place = tree.place(path)
    module = str(path[-2])
    image = settings.get("image") if isinstance(settings, dict) else None
    if not isinstance(settings, dict) or not isinstance(image, str) or not image.strip():
        where = tree.place((*path, "image")) if isinstance(settings, dict) and "image" in settings else place
        hint = f'add "image": "${{MODULES.{module}}}" or an image reference to its settings'
        yield error("image", where, f"module {module} has no image", hint)
        return
    fields = {name for _, name in fields_of(settings)}
    yield from shape.members(tree, path, settings, "module", required=("image",), allowed=tuple(fields))
    if "${" not in image and _IMAGE.fullmatch(image) is None:
        hint = "write [registry/]name[:tag] in lower case"
        yield error("image-name", tree.place((*path, "image")), f"{image!r} is no image reference", hint)
