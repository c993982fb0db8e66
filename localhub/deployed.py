"""What a running localhub deploys: the manifest in its state folder, which follows what is applied while it runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from localhub.state import write_atomic
from localhub.twin import Document, canonical, without_service_names

SECTION = "properties.desired"
AGENT = "$edgeAgent"
SYSTEM_MODULES = (AGENT, "$edgeHub")


class UnknownModuleError(ValueError):
    """There is no such module; the text names those that there are."""


def check_module(manifest: Path, name: str) -> None:
    """Raises UnknownModuleError for a name that the manifest does not deploy."""
    known = modules_of(json.loads(manifest.read_bytes()))
    if name not in known:
        raise UnknownModuleError(f"there is no module {name}; there are: {', '.join(known) or 'none'}")


def modules_of(content: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The user modules that a modulesContent deploys: name -> their $edgeAgent entry."""
    desired = content.get(AGENT, {}).get(SECTION, {})
    return dict(desired.get("modules", {}))


def desired_sections(content: Mapping[str, Any]) -> dict[str, Document]:
    """Desired properties by module: one for every section, and an empty one for every module without."""
    names = dict.fromkeys((*SYSTEM_MODULES, *modules_of(content), *content))
    return {name: without_service_names(content.get(name, {}).get(SECTION, {})) for name in names}


def keep(manifest: Path, sections: Mapping[str, Document]) -> None:
    """Replace sections of the manifest in the state folder; on disk when this returns."""
    content = json.loads(manifest.read_bytes()) if manifest.exists() else {}
    content |= {name: {SECTION: dict(document)} for name, document in sections.items()}
    write_atomic(manifest, json.dumps(content, indent=2).encode())


def digest(agent: Document) -> str:
    """Stands for $edgeAgent's desired properties; equal for equal documents."""
    return hashlib.sha256(canonical(without_service_names(agent))).hexdigest()
