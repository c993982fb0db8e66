"""A manifest and its localhub.toml for a test, where a whole deployment.template.json would say too much."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

TTL_S = 3600


def write_manifest(
    folder: Path,
    modules: Mapping[str, Sequence[str]],
    routes: Mapping[str, str],
    desired: Mapping[str, Mapping[str, Any]] | None = None,
) -> Path:
    """Write deployment.json and localhub.toml into `folder`; the path of the manifest.

    `modules` gives the command of each module, run in `folder`; `routes` the text of each route, `desired` the desired
    properties of the modules that begin with some.
    """
    system: dict[str, dict[str, Any]] = {
        name: {"type": "docker", "settings": _settings(name)} for name in ("edgeAgent", "edgeHub")
    }
    system["edgeHub"] |= {"status": "running", "restartPolicy": "always"}
    content: dict[str, Any] = {
        "$edgeAgent": {
            "properties.desired": {
                "schemaVersion": "1.1",
                "runtime": {"type": "docker", "settings": {"minDockerVersion": "v1.25"}},
                "systemModules": system,
                "modules": {name: _module(name) for name in modules},
            }
        },
        "$edgeHub": {
            "properties.desired": {
                "schemaVersion": "1.1",
                "routes": {name: {"route": text, "timeToLiveSecs": TTL_S} for name, text in routes.items()},
                "storeAndForwardConfiguration": {"timeToLiveSecs": TTL_S},
            }
        },
    }
    content |= {name: {"properties.desired": dict(properties)} for name, properties in (desired or {}).items()}
    manifest = folder / "deployment.json"
    manifest.write_text(json.dumps({"modulesContent": content}, indent=2), encoding="utf-8")
    # A JSON list of strings is a TOML one too.
    tables = [f"[modules.{name}]\ncommand = {json.dumps(list(command))}\n" for name, command in modules.items()]
    (folder / "localhub.toml").write_text("\n".join(tables), encoding="utf-8")
    return manifest


def _module(name: str) -> dict[str, Any]:
    return {
        "version": "1.0",
        "type": "docker",
        "status": "running",
        "restartPolicy": "always",
        "settings": _settings(name),
    }


def _settings(name: str) -> dict[str, str]:
    return {"image": f"localhub.test/{name.lower()}:1", "createOptions": "{}"}
