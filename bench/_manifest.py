"""The least manifest for a bench that runs modules of its own under localhub."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any


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
