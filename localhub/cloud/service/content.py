"""What a deployment's content is, and how layered deployments lie on their base. Pure.

An automatic deployment has whole sections (`properties.desired`); a layered one has dotted keys below them, as
`properties.desired.modules.camera`, of which each sets one part (edgehub-contract 7.3).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from localhub.cloud.service.answers import ServiceError
from localhub.deployed import SECTION, SYSTEM_MODULES

Content = Mapping[str, Mapping[str, Any]]


def modules_content(content: object) -> Content:
    """The modulesContent of a request, checked as far as IoT Hub does; raises ServiceError."""
    found = content.get("modulesContent") if isinstance(content, Mapping) else None
    if not isinstance(found, Mapping) or not all(isinstance(section, Mapping) for section in found.values()):
        raise ServiceError(400, "ArgumentInvalid", "content must hold modulesContent, an object of objects")
    for module, section in found.items():
        for key, value in section.items():
            if key != SECTION and not key.startswith(f"{SECTION}."):
                raise ServiceError(400, "ArgumentInvalid", f"{module}: {key!r} is not {SECTION} nor below it")
            if key == SECTION and not isinstance(value, Mapping):
                raise ServiceError(400, "ArgumentInvalid", f"{module}: {SECTION} must be an object")
    return found


def is_layered(content: Content) -> bool:
    """Whether it sets parts, and the whole of neither system module."""
    return not any(SECTION in content.get(module, {}) for module in SYSTEM_MODULES)


def check_whole(content: Content) -> None:
    """Whether it can stand alone: both system modules are there whole. Raises ServiceError."""
    for module in SYSTEM_MODULES:
        if SECTION not in content.get(module, {}):
            raise ServiceError(400, "ArgumentInvalid", f"modulesContent has no {module} with {SECTION}")


def merged(base: Content, layers: Iterable[Content]) -> dict[str, dict[str, Any]]:
    """The base with its layers, lowest first: each key of a layer sets its part, and the later one wins."""
    result: dict[str, dict[str, Any]] = {name: dict(copy.deepcopy(section)) for name, section in base.items()}
    for layer in layers:
        for module, section in layer.items():
            for key, value in section.items():
                here = result.setdefault(module, {})
                *parents, last = (
                    [SECTION, *key.removeprefix(SECTION).strip(".").split(".")] if key != SECTION else [key]
                )
                for parent in parents:
                    inner = here.get(parent)
                    here[parent] = here = inner if isinstance(inner, dict) else {}
                here[last] = copy.deepcopy(value)
    return result
