"""$edgeAgent: schema version, runtime, registries (azext_iot/assets/azure-iot-edgeagent-deployment-1.1.json)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from localhub.manifest.layers import AGENT, DESIRED
from localhub.manifest.manifest import Manifest
from localhub.manifest.positions import Path
from localhub.manifest.problem import Problem, error, warning
from localhub.manifest.rules import shape

_ROOT: Final[Path] = (AGENT, DESIRED)
_LITERAL: Final = ("1.0", "1.1")
_VERSION: Final = re.compile(r"1\.[01](\.\d+){0,2}", re.ASCII)
_REGISTRY_NAME: Final = re.compile(r"[^.$# ]+")
_PLACEHOLDER: Final = re.compile(r"\$\{[^}]+\}|\$\w+")


def check(manifest: Manifest) -> Iterator[Problem]:
    """Everything but the modules themselves."""
    tree = manifest.tree
    if AGENT not in tree.value:
        hint = "add it with schemaVersion, runtime, systemModules and modules"
        yield error("agent", tree.root, f"there is no {AGENT} section", hint)
        return
    desired = tree.get(_ROOT)
    if not isinstance(desired, dict):
        yield error("agent", tree.place((AGENT,)), f"{AGENT} has no {DESIRED}", "add it")
        return
    wanted = ("schemaVersion", "runtime", "systemModules", "modules")
    yield from shape.members(tree, _ROOT, desired, "agent", required=wanted)
    if "schemaVersion" in desired:
        yield from _schema_version(manifest, desired["schemaVersion"])
    if "runtime" in desired:
        yield from _runtime(manifest, desired["runtime"])


def _schema_version(manifest: Manifest, version: Any) -> Iterator[Problem]:
    place = manifest.tree.place((*_ROOT, "schemaVersion"))
    if not isinstance(version, str) or _VERSION.fullmatch(version) is None:
        yield error("agent-schema", place, f"edgeAgent does not take schemaVersion {version!r}", 'write "1.1"')
    elif version not in _LITERAL:
        said = f"az skips its validation in silence for schemaVersion {version!r}"
        yield warning("agent-schema", place, said, 'write "1.1"')


def _runtime(manifest: Manifest, runtime: Any) -> Iterator[Problem]:
    tree, path = manifest.tree, (*_ROOT, "runtime")
    yield from shape.is_object(tree, path, runtime, "runtime")
    if not isinstance(runtime, dict):
        return
    yield from shape.members(tree, path, runtime, "runtime", required=("type", "settings"))
    if "type" in runtime:
        yield from shape.one_of(tree, (*path, "type"), runtime["type"], "runtime", ("docker",))
    settings = runtime.get("settings")
    if not isinstance(settings, dict):
        return
    allowed = ("minDockerVersion", "loggingOptions", "registryCredentials")
    yield from shape.members(tree, (*path, "settings"), settings, "runtime", required=(), allowed=allowed)
    registries = settings.get("registryCredentials", {})
    if not isinstance(registries, dict):
        yield from shape.is_object(tree, (*path, "settings", "registryCredentials"), registries, "registry")
        return
    for name, registry in registries.items():
        yield from _registry(manifest, (*path, "settings", "registryCredentials", name), name, registry)


def _registry(manifest: Manifest, path: Path, name: str, registry: Any) -> Iterator[Problem]:
    tree = manifest.tree
    if _REGISTRY_NAME.fullmatch(name) is None:
        yield error("registry", tree.place(path), f"a registry cannot be called {name!r}", "leave out . $ # and blanks")
    yield from shape.is_object(tree, path, registry, "registry")
    if not isinstance(registry, dict):
        return
    yield from shape.members(tree, path, registry, "registry", required=("username", "password", "address"))
    address = registry.get("address")
    if isinstance(address, str) and re.search(r"\s", address):
        yield error("registry", tree.place((*path, "address")), "the address holds a blank", "write host[:port]")
    written = tree.raw((*path, "password")).strip('"')
    if "password" in registry and written and _PLACEHOLDER.search(written) is None:
        hint = "write ${NAME} and put the password into .env, which stays out of the repository"
        yield warning("password", tree.place((*path, "password")), "a password stands in the manifest", hint)
