"""The least manifest for a bench that runs modules of its own under localhub."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def least_manifest(modules: tuple[str, ...], settings: Mapping[str, Mapping[str, Any]] | None = None) -> dict[str, Any]:
    """These modules, a route for `frames` from the first to the last, and each one's desired `settings`."""
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
    sink = f'BrokeredEndpoint("/modules/{modules[-1]}/inputs/frames")'
    route = f"FROM /messages/modules/{modules[0]}/outputs/frames INTO {sink}"
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
                "routes": {"frames": {"route": route, "priority": 0, "timeToLiveSecs": 60}},
                "storeAndForwardConfiguration": {"timeToLiveSecs": 60},
            }
        },
    }
    content |= {name: {"properties.desired": {"settings": dict(wanted)}} for name, wanted in (settings or {}).items()}
    return {"modulesContent": content}
