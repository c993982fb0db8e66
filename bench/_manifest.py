"""The least manifest for a bench that runs modules of its own under localhub."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from devices.line import ROOT, Line


def least_manifest(modules: tuple[str, ...], settings: Mapping[str, Mapping[str, Any]] | None = None) -> dict[str, Any]:
    """These modules, each one's output routed to the input `frames` of the next, and their desired `settings`.

    Inference sends on `alerts`, any other on `frames`.
    """
    described = {
        name: {
            "version": "1.0",
            "type": "docker",
            "status": "running",
            "restartPolicy": "never",
            "settings": {"image": f"bench/{name}:1", "createOptions": "{}"},
        }
        for name in modules
    }
    system = {
        name: {
            "type": "docker",
            "status": "running",
            "restartPolicy": "always",
            "settings": {"image": f"mcr.microsoft.com/azureiotedge-{name[4:].lower()}:1.5", "createOptions": "{}"},
        }
        for name in ("edgeAgent", "edgeHub")
    }
    routes = {
        f"from{sender}": {
            "route": f"FROM /messages/modules/{sender}/outputs/{'alerts' if sender == 'inference' else 'frames'} "
            f'INTO BrokeredEndpoint("/modules/{receiver}/inputs/frames")',
            "priority": 0,
            "timeToLiveSecs": 60,
        }
        for sender, receiver in pairwise(modules)
    }
    content: dict[str, Any] = {
        "$edgeAgent": {
            "properties.desired": {
                "schemaVersion": "1.1",
                "runtime": {"type": "docker", "settings": {"minDockerVersion": "v1.25"}},
                "systemModules": system,
                "modules": described,
            }
        },
        "$edgeHub": {
            "properties.desired": {
                "schemaVersion": "1.1",
                "routes": routes,
                "storeAndForwardConfiguration": {"timeToLiveSecs": 60},
            }
        },
    }
    content |= {name: {"properties.desired": {"settings": dict(wanted)}} for name, wanted in (settings or {}).items()}
    return {"modulesContent": content}


def alerting_line(
    folder: Path,
    address: str,
    taker: str,
    *,
    source: Mapping[str, str],
    environment: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Line:
    """A line of two: `bench._alerts` with the variables `source`, and the module `taker`, which takes its alerts."""
    manifest = least_manifest(("source", taker), {taker: settings} if settings else None)
    route = f'FROM /messages/modules/source/outputs/alerts INTO BrokeredEndpoint("/modules/{taker}/inputs/alerts")'
    hub = manifest["modulesContent"]["$edgeHub"]["properties.desired"]
    hub["routes"] = {"alerts": {"route": route, "priority": 0, "timeToLiveSecs": 3600}}
    own = {"MILLWATCH_STATE": "${MODULE_STATE}", "MILLWATCH_VIEW_PORT": "0"}
    (folder / "deployment.json").write_text(json.dumps(manifest), encoding="utf-8")
    (folder / "localhub.toml").write_text(
        _process("source", "bench._alerts", {**own, **source})
        + _process(taker, f"modules.{taker}", {**own, **(environment or {})}),
        encoding="utf-8",
    )
    return line_in(folder, address)


def line_in(folder: Path, address: str) -> Line:
    """The line of the `deployment.json` and `localhub.toml` in a folder, which takes its state and log too."""
    return Line(
        state=folder / "state",
        address=address,
        manifest=folder / "deployment.json",
        config=folder / "localhub.toml",
        leaves=[],
        log=folder / "said",
    )


def _process(name: str, package: str, environment: Mapping[str, str]) -> str:
    variables = ", ".join(f'{key} = "{value}"' for key, value in environment.items())
    command = f'["{sys.executable}", "-m", "{package}"]'
    return f'[modules.{name}]\ncommand = {command}\nfolder = "{ROOT}"\nenv = {{ {variables} }}\n'
