"""Where placeholders get their values: the environment, `.env`, and the modules' own module.json files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_LINE: Final = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*")
_COMMENT: Final = re.compile(r"\s+#.*$")


@dataclass(frozen=True, slots=True)
class Environment:
    """Variables for one manifest (iotedgedev/envvars.py).

    `values` is the environment over `.env`; `documented` the names that `.env.example` lists. `folder` is where the
    manifest stands, `modules` where `${MODULES.name}` looks, `platform` what it means without a suffix.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    documented: frozenset[str] = frozenset()
    folder: Path = Path()
    modules: Path = Path("modules")
    platform: str = "amd64"

    @classmethod
    def of(cls, folder: Path, variables: Mapping[str, str], platform: str | None = None) -> Environment:
        """The environment of a manifest in `folder`; `variables` is the process's own (os.environ)."""
        values = {**_read(folder / variables.get("DOTENV_FILE", ".env")), **variables}
        return cls(
            values=values,
            documented=frozenset(_read(folder / ".env.example")),
            folder=folder,
            modules=folder / values.get("MODULES_PATH", "modules"),
            platform=platform or values.get("DEFAULT_PLATFORM") or "amd64",
        )


def _read(path: Path) -> dict[str, str]:
    return parse_dotenv(path.read_text("utf-8", "replace")) if path.is_file() else {}


def parse_dotenv(text: str) -> dict[str, str]:
    """The variables of a `.env` file: NAME=value, quotes and comments allowed."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match is None or line.lstrip().startswith("#"):
            continue
        name, value = match[1], match[2]
        if len(value) > 1 and value[0] in "\"'" and value.find(value[0], 1) > 0:
            value = value[1 : value.find(value[0], 1)]
        else:
            value = _COMMENT.sub("", value)
        values[name] = value
    return values
