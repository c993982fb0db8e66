"""Which modules a running localhub deploys, from the manifest in its state folder."""

from __future__ import annotations

import json
from pathlib import Path


class UnknownModuleError(ValueError):
    """There is no such module; the text names those that there are."""


def check_module(manifest: Path, name: str) -> None:
    """Raises UnknownModuleError for a name that the manifest does not deploy."""
    content = json.loads(manifest.read_bytes())
    known = content.get("$edgeAgent", {}).get("properties.desired", {}).get("modules", {})
    if name not in known:
        raise UnknownModuleError(f"there is no module {name}; there are: {', '.join(known) or 'none'}")
