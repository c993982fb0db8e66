"""createOptions: an object in a template, pieces of 512 characters in a manifest, at most eight."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Final

from localhub.manifest.manifest import MODULES, SYSTEM_MODULES, Manifest
from localhub.manifest.options import MOST_PIECES, PIECE, CreateOptionsError, cut, fields_of, join
from localhub.manifest.positions import Path
from localhub.manifest.problem import Problem, error, warning

# The body of Docker's POST /containers/create. Docker and edgeAgent read names in any case, and pass over others.
_MEMBERS: Final = (
    *("Hostname", "Domainname", "User", "AttachStdin", "AttachStdout", "AttachStderr", "ExposedPorts", "Tty"),
    *("OpenStdin", "StdinOnce", "Env", "Cmd", "Healthcheck", "ArgsEscaped", "Image", "Volumes", "WorkingDir"),
    *("Entrypoint", "NetworkDisabled", "MacAddress", "OnBuild", "Labels", "StopSignal", "StopTimeout", "Shell"),
    *("HostConfig", "NetworkingConfig"),
)
_KNOWN: Final = {name.lower(): name for name in _MEMBERS}


def check(manifest: Manifest) -> Iterator[Problem]:
    """The createOptions of every module."""
    for root, entries in ((MODULES, manifest.modules()), (SYSTEM_MODULES, manifest.system_modules())):
        for name, entry in entries.items():
            settings = entry.get("settings")
            if isinstance(settings, dict):
                yield from _options(manifest, (*root, name, "settings"), settings)


def _options(manifest: Manifest, path: Path, settings: dict[str, object]) -> Iterator[Problem]:
    tree = manifest.tree
    try:
        joined = join(settings)
    except CreateOptionsError as mistake:
        hint = "write a JSON object" if manifest.template else "write a JSON object as text, cut at 512 characters"
        yield error("create-options", tree.place((*path, mistake.field)), f"{mistake.field}: {mistake}", hint)
        return
    for _, field in fields_of(settings):
        value = settings[field]
        place = tree.place((*path, field))
        if isinstance(value, dict) and not manifest.template:
            hint = "write it as text, or keep it in a *.template.json and let iotedgedev make the manifest"
            yield error("create-options-text", place, f"{field} is an object: az iot edge set-modules wants text", hint)
        if isinstance(value, str) and len(value) > PIECE:
            hint = f"cut it into {field}, createOptions01, ... of {PIECE}, or write an object in a template"
            yield error("create-options-length", place, f"{field} has {len(value)} characters, over {PIECE}", hint)
    for name in joined:
        if name.lower() not in _KNOWN:
            meant = difflib.get_close_matches(name.lower(), _KNOWN, n=1)
            hint = f"write {_KNOWN[meant[0]]}" if meant else "ports, mounts and limits belong into HostConfig"
            said = f"createOptions have no member {name!r}: Docker passes over it in silence"
            yield warning("create-options-member", tree.place((*path, fields_of(settings)[0][1])), said, hint)
    pieces = len(cut(joined)) if joined else 0
    if pieces > MOST_PIECES:
        place = tree.place((*path, fields_of(settings)[0][1]))
        said = f"createOptions make {pieces} pieces of {PIECE} characters; iotedgedev refuses more than {MOST_PIECES}"
        yield error("create-options-length", place, said, "shorten them")
