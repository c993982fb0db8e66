"""A manifest as `run` needs it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Deployment:
    """The effective modulesContent, and where things stand in its file."""

    content: Mapping[str, Any]
    text: str
    warnings: Sequence[str] = ()

    def command_of(self, _module: str, _image: str) -> tuple[tuple[str, ...], Path] | None:
        """The command an image's Dockerfile names, and the module's folder."""
        return None

    def line_of(self, module: str) -> int:
        """The line that names a module."""
        lines = self.text.splitlines()
        return next((number for number, line in enumerate(lines, 1) if f'"{module}"' in line), 1)


def load_deployment(path: Path, _layers: Sequence[Path]) -> Deployment:
    """Read and check."""
    text = path.read_text()
    return Deployment(json.loads(text)["modulesContent"], text)
