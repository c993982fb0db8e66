"""A module's folder with its module.json (iotedgedev/module.py): the name of its image and its Dockerfiles."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from localhub.manifest.placeholders import expand
from localhub.manifest.positions import Document
from localhub.manifest.problem import Place

FILE: Final = "module.json"

_KEPT: Final = re.compile(r"\$\{[^}]*\}|\$\w+|[^$]+")


@dataclass(frozen=True, slots=True)
class ModuleFolder:
    """What module.json says; paths of Dockerfiles are absolute or relative as `path` is."""

    path: Path
    repository: str
    version: str
    platforms: Mapping[str, Path]
    place: Place

    def image(self, platform: str, container_tag: str = "") -> str:
        """The image reference that iotedgedev builds and names in the manifest."""
        tag = "-".join(part for part in (self.version, container_tag, platform) if part)
        return f"{_lower(self.repository)}:{tag}"


def _lower(repository: str) -> str:
    """In lower case, but for the names of placeholders that nothing filled in."""
    return _KEPT.sub(lambda match: match[0] if match[0].startswith("$") else match[0].lower(), repository)


class ModuleJsonError(ValueError):
    """module.json lacks or misstates something; `place` says where."""

    def __init__(self, message: str, place: Place) -> None:
        self.place = place
        super().__init__(message)


def read_module_folder(path: Path, variables: Mapping[str, str]) -> ModuleFolder:
    """Reads a module's folder.

    Raises FileNotFoundError where there is no module.json, JsonSyntaxError where it is no JSON and ModuleJsonError
    where it does not say what an image needs.
    """
    file = path / FILE
    document = expand(str(file), file.read_text("utf-8-sig", "replace"), variables.get)
    image = _object(document, document.value, ())
    image = _object(document, image.get("image"), ("image",))
    tag = _object(document, image.get("tag"), ("image", "tag"))
    platforms = _object(document, tag.get("platforms"), ("image", "tag", "platforms"))
    repository = image.get("repository")
    if not isinstance(repository, str) or not re.search(r"\S", repository):
        raise ModuleJsonError("image.repository is missing", document.place(("image", "repository")))
    for platform, dockerfile in platforms.items():
        if not isinstance(dockerfile, str):
            raise ModuleJsonError(
                f"the Dockerfile of {platform} is no path", document.place(("image", "tag", "platforms", platform))
            )
    return ModuleFolder(
        path=path,
        repository=repository,
        version=str(tag.get("version", "0.0.0")),
        platforms={platform: path / dockerfile for platform, dockerfile in platforms.items()},
        place=document.place(("image",)),
    )


def _object(document: Document, value: Any, path: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ModuleJsonError(f"{'.'.join(path) or 'the document'} must be an object", document.place(path))
    return value
