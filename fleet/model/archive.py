"""A package folder as one archive: the same files give the same bytes, whoever packs them and when."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fleet.exits import Exit, FleetError

# As the gateways take them (docs/formats/model-updates.md).
TARGET: Final = re.compile(r"(picture|waveform)/[a-z0-9][a-z0-9_.-]{0,63}/\d{1,6}\.\d{1,6}\.\d{1,6}")
_FILE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_FILES: Final = 32


@dataclass(frozen=True, slots=True)
class Packed:
    """A package as it is published."""

    target: str  # TASK/NAME/VERSION
    title: str
    body: bytes


def pack(folder: Path) -> Packed:
    """The archive of a package. Raises FleetError when it is none, or its files are not those of its card."""
    card = _card(folder)
    target = f"{card.get('task')}/{card.get('name')}/{card.get('version')}"
    if not TARGET.fullmatch(target):
        raise FleetError(f"{folder}/card.json: {target!r} is no TASK/NAME/VERSION", Exit.CONTENT)
    files: dict[str, str] = card.get("files", {})
    names = {"card.json", *files}
    present = {each.name for each in folder.iterdir()}
    if extra := sorted(present - names):
        raise FleetError(f"{folder}: the card does not name {', '.join(extra)} under `files`", Exit.CONTENT)
    if len(names) > _FILES or not all(_FILE.fullmatch(name) for name in names):
        raise FleetError(f"{folder}: more than {_FILES} files, or a name that gateways refuse", Exit.CONTENT)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in sorted(names):
            body = _read(folder / name)
            if name in files and hashlib.sha256(body).hexdigest() != files[name]:
                raise FleetError(
                    f"{folder}/{name} is not the file that the card names: its SHA-256 differs", Exit.CONTENT
                )
            entry = tarfile.TarInfo(name)
            entry.size = len(body)  # no owner, no time: they would change the bytes and mean nothing
            tar.addfile(entry, io.BytesIO(body))
    return Packed(target, str(card.get("title", "")), buffer.getvalue())


def _card(folder: Path) -> dict[str, Any]:
    try:
        card = json.loads(_read(folder / "card.json"))
    except ValueError as error:
        raise FleetError(f"{folder}/card.json: {error}", Exit.CONTENT) from error
    if not isinstance(card, dict) or not isinstance(card.get("files", {}), dict):
        raise FleetError(f"{folder}/card.json is no card", Exit.CONTENT)
    return card


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FleetError(f"{path}: {error.strerror}", Exit.CONTENT) from error
