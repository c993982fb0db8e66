"""A deployment: what runs, with which options, routes and twins."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from localhub.manifest import dockerfile, options
from localhub.manifest.environment import Environment
from localhub.manifest.layers import DESIRED, HUB
from localhub.manifest.manifest import MODULES, SYSTEM_MODULES, Manifest, read_manifest
from localhub.manifest.problem import ManifestError, Place, Severity
from localhub.manifest.rules import running
from localhub.routes import HubConfig, parse_edgehub_desired

LAST: Final = 2**32 - 1  # the startupOrder of a module that gives none


@dataclass(frozen=True, slots=True)
class ModuleSpec:
    """One module. `startup_order`: lower first; `folder`: its sources on this machine, None where there are none."""

    name: str
    image: str
    create_options: Mapping[str, Any]
    env: Mapping[str, str]
    status: str
    restart_policy: str
    startup_order: int
    image_pull_policy: str
    version: str
    folder: Path | None
    place: Place


@dataclass(frozen=True, slots=True)
class Deployment:
    """A manifest that can be run.

    `content` is the effective modulesContent: layers merged, placeholders filled in, createOptions as text in pieces.
    `twins` are the desired properties of the user modules. `warnings` are findings that do not keep it from running.
    """

    path: Path
    modules: Mapping[str, ModuleSpec]
    system_modules: Mapping[str, ModuleSpec]
    routes: HubConfig
    twins: Mapping[str, Mapping[str, Any]]
    registries: Mapping[str, Mapping[str, str]]
    content: Mapping[str, Any]
    warnings: Sequence[str]

    def effective(self) -> dict[str, Any]:
        """A copy of the effective modulesContent."""
        return copy.deepcopy(dict(self.content))

    def line_of(self, module: str) -> int:
        """The line that names a module, 1 where none does."""
        spec = self.modules.get(module) or self.system_modules.get(module)
        return 1 if spec is None else spec.place.line

    def command_of(self, module: str, _image: str = "") -> tuple[tuple[str, ...], Path] | None:
        """The command of a module's Dockerfile, to be run in the module's folder; None where there is none."""
        spec = self.modules.get(module)
        if spec is None or spec.folder is None:
            return None
        found = dockerfile.of_module(spec.folder)
        return None if found is None else found.on_this_machine(spec.folder)


def load_deployment(
    path: Path,
    layers: Sequence[Path] = (),
    *,
    variables: Mapping[str, str] | None = None,
    platform: str | None = None,
) -> Deployment:
    """Reads a manifest or template for running it here.

    `variables` fill in placeholders (default: the process's environment), over the `.env` file beside the manifest.
    Raises ManifestError with every reason that keeps it from running, and OSError for a file that cannot be read.
    """
    environment = Environment.of(path.parent, os.environ if variables is None else variables, platform)
    manifest = read_manifest(path, layers, environment)
    problems = list(running(manifest))
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    if errors:
        raise ManifestError(errors)
    return _deployment(manifest, [str(problem) for problem in problems])


def _deployment(manifest: Manifest, warnings: list[str]) -> Deployment:
    tree = manifest.tree
    desired = tree.value[HUB][DESIRED]
    registries = tree.get(("$edgeAgent", DESIRED, "runtime", "settings", "registryCredentials"))
    return Deployment(
        path=manifest.path,
        modules={name: _spec(manifest, MODULES, name, entry) for name, entry in manifest.modules().items()},
        system_modules={
            name: _spec(manifest, SYSTEM_MODULES, name, entry) for name, entry in manifest.system_modules().items()
        },
        routes=parse_edgehub_desired(desired),
        twins={
            name: sections[DESIRED] for name, sections in tree.value.items() if name not in {"$edgeAgent", "$edgeHub"}
        },
        registries=registries if isinstance(registries, dict) else {},
        content=_effective(manifest),
        warnings=warnings,
    )


def _spec(manifest: Manifest, under: tuple[str | int, ...], name: str, entry: Mapping[str, Any]) -> ModuleSpec:
    settings = entry["settings"]
    folder = manifest.folder_of(name) if under == MODULES else None
    return ModuleSpec(
        name=name,
        image=settings["image"],
        create_options=options.join(settings),
        env={key: _text(value.get("value")) for key, value in (entry.get("env") or {}).items()},
        status=entry.get("status", "running"),
        restart_policy=entry.get("restartPolicy", "always"),
        startup_order=int(entry.get("startupOrder", LAST)),
        image_pull_policy=entry.get("imagePullPolicy", "on-create"),
        version=str(entry.get("version", "")),
        folder=None if folder is None else folder.resolve(),
        place=manifest.tree.place((*under, name)),
    )


def _text(value: object) -> str:
    """An env value as text: edgeAgent turns any scalar into one, JSON's words for booleans."""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _effective(manifest: Manifest) -> dict[str, Any]:
    content: dict[str, Any] = copy.deepcopy(manifest.tree.value)
    for under in (MODULES, SYSTEM_MODULES):
        here: Any = content
        for step in under:
            here = here.get(step, {})
        for entry in here.values():
            settings = entry["settings"]
            joined = options.join(settings)
            fields = {name for _, name in options.fields_of(settings)}
            entry["settings"] = {
                **{key: value for key, value in settings.items() if key not in fields},
                **(options.cut(joined) if fields else {}),
            }
    return content
