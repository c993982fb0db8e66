"""Reads a manifest or template with its layers and fills in its placeholders; judges nothing yet."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, Final

from localhub.manifest.environment import Environment
from localhub.manifest.layers import AGENT, DESIRED, Tree, merge, priority_of
from localhub.manifest.modulejson import ModuleFolder, ModuleJsonError, read_module_folder
from localhub.manifest.placeholders import expand
from localhub.manifest.positions import Document, JsonSyntaxError, Path
from localhub.manifest.problem import ManifestError, Place, Problem, error

MODULES: Final[Path] = (AGENT, DESIRED, "modules")
SYSTEM_MODULES: Final[Path] = (AGENT, DESIRED, "systemModules")

_MODULE: Final = re.compile(r"MODULES\.(?P<name>[^.]+)(?:\.(?P<suffix>.+))?")
_FOLDER: Final = re.compile(r"MODULEDIR<(?P<path>[^>]+)>(?:\.(?P<suffix>.+))?")
_IMAGE: Final = re.compile(r"\$\{((?:MODULES\.|MODULEDIR<)[^}]*)\}")


@dataclass(slots=True)
class Manifest:
    """A manifest as read: the merged tree, the files it came from and what was found wrong while reading.

    `template` is true for a file that iotedgedev still turns into a manifest. `folders` maps what stood in a
    `${MODULES...}` placeholder to the module's folder.
    """

    path: FilePath
    tree: Tree
    documents: Sequence[Document]
    environment: Environment
    template: bool
    folders: Mapping[str, ModuleFolder]
    problems: list[Problem] = field(default_factory=list)

    def modules(self) -> dict[str, dict[str, Any]]:
        """The user modules' entries that are objects."""
        entries = self.tree.get(MODULES)
        entries = entries if isinstance(entries, dict) else {}
        return {name: entry for name, entry in entries.items() if isinstance(entry, dict)}

    def system_modules(self) -> dict[str, dict[str, Any]]:
        """The system modules' entries that are objects."""
        entries = self.tree.get(SYSTEM_MODULES)
        entries = entries if isinstance(entries, dict) else {}
        return {name: entry for name, entry in entries.items() if isinstance(entry, dict)}

    @property
    def layer_alone(self) -> bool:
        """True for a layered deployment without its base: it sets parts, and no module's whole."""
        parts = [key for sections in self.tree.sections for key in sections]
        return bool(parts) and DESIRED not in parts

    def folder_of(self, name: str) -> FilePath | None:
        """The folder of a user module: the one its image comes from, else the one of its name; None for neither."""
        match = _IMAGE.search(self.tree.raw((*MODULES, name, "settings", "image")))
        if match is not None and match[1] in self.folders:
            return self.folders[match[1]].path
        named = self.environment.modules / name
        return named if named.is_dir() else None


def read_manifest(path: FilePath, layers: Sequence[FilePath], environment: Environment) -> Manifest:
    """Reads a manifest and its layers, lowest first unless they say a priority of their own.

    Raises OSError for a file that cannot be read and ManifestError for one that is no JSON.
    """
    images = _Images(environment)
    base = _read(path, images)
    tops = sorted((_read(layer, images) for layer in layers), key=lambda document: priority_of(document) or 0)
    documents = [base, *tops]
    tree, problems = merge(documents)
    for document in documents:
        for where, place in document.twice:
            hint = "readers take the last one in silence; remove one"
            problems.append(error("twice", place, f"the name {where[-1]!r} stands twice in one object", hint))
    template = path.name.endswith(".template.json") or "$schema-template" in (base.value or {})
    return Manifest(path, tree, documents, environment, template, images.folders, problems)


def _read(path: FilePath, images: _Images) -> Document:
    try:
        return expand(str(path), path.read_text("utf-8-sig"), images.look_up)
    except JsonSyntaxError as mistake:
        raise ManifestError([error("json", mistake.place, f"no JSON: {mistake}")]) from mistake
    except UnicodeDecodeError as mistake:
        raise ManifestError([error("json", Place(str(path), 1, 1), f"no UTF-8 text: {mistake}")]) from mistake


class _Images:
    """Gives placeholders their values and remembers which module folders were asked for."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.folders: dict[str, ModuleFolder] = {}

    def look_up(self, name: str) -> str | None:
        """The value of a placeholder, None where it has none; the linter says why."""
        location = module_of_placeholder(name, self.environment)
        if location is None:
            return self.environment.values.get(name)
        path, platform = location
        try:
            folder = read_module_folder(path, self.environment.values)
        except (OSError, ModuleJsonError, JsonSyntaxError):
            return None
        if platform not in folder.platforms:
            return None
        self.folders[name] = folder
        return folder.image(platform, self.environment.values.get("CONTAINER_TAG", ""))


def module_of_placeholder(name: str, environment: Environment) -> tuple[FilePath, str] | None:
    """The module folder and the platform that a placeholder names; None for a variable of the environment."""
    if (match := _MODULE.fullmatch(name)) is not None:
        path = environment.modules / match["name"]
    elif (match := _FOLDER.fullmatch(name)) is not None:
        path = environment.folder / match["path"]
    else:
        return None
    suffix = match["suffix"]
    if suffix is None:
        return path, environment.platform
    return path, f"{environment.platform}.debug" if suffix == "debug" else suffix
