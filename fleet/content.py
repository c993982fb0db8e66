"""From a deployment's file to what IoT Hub is sent. Pure but for `read`.

A file holds {"modulesContent": ...}, perhaps below {"content": ...} as some tools write it. A whole content has both
system modules with `properties.desired`; a layer has dotted keys below it and neither of the two whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from fleet.exits import Exit, FleetError
from fleet.patch import value_of

Content = dict[str, dict[str, Any]]

DESIRED: Final = "properties.desired"
SYSTEM: Final = ("$edgeAgent", "$edgeHub")
_ID: Final = re.compile(
    r"[a-z0-9\-:+%_#*?!(),=@;$']{1,128}"
)  # learn.microsoft.com/azure/iot-edge/how-to-deploy-at-scale
_OPEN: Final = re.compile(r"\$\{[A-Za-z_][\w.]*\}")


def read(path: Path) -> Content:
    """The modulesContent of a file; raises FleetError."""
    try:
        text = path.read_text(encoding="utf-8")
        return of(json.loads(text), str(path))
    except OSError as error:
        raise FleetError(f"{path}: {error.strerror}", Exit.CONTENT) from error
    except ValueError as error:
        raise FleetError(f"{path}: not JSON: {error}", Exit.CONTENT) from error


def of(document: Any, name: str) -> Content:
    """The modulesContent of a document, checked as far as IoT Hub would refuse it; raises FleetError."""
    if isinstance(document, Mapping) and isinstance(document.get("content"), Mapping):
        document = document["content"]
    content = document.get("modulesContent") if isinstance(document, Mapping) else None
    if not isinstance(content, dict) or not content:
        raise FleetError(f"{name}: holds no modulesContent", Exit.CONTENT)
    for module, section in content.items():
        if not isinstance(section, dict) or not section:
            raise FleetError(f"{name}: {module} is no object with {DESIRED}", Exit.CONTENT)
        for key in section:
            if key != DESIRED and not key.startswith(f"{DESIRED}."):
                raise FleetError(f"{name}: {module}: {key!r} is not {DESIRED} nor below it", Exit.CONTENT)
    if found := _OPEN.search(json.dumps(content)):
        text = f"{name}: {found[0]} is not filled in: build the manifest first (make build), or make layer for a layer"
        raise FleetError(text, Exit.CONTENT)
    return content


def is_layer(content: Content) -> bool:
    """Whether it lies on another deployment, and has neither system module whole."""
    return not any(DESIRED in content.get(module, {}) for module in SYSTEM)


def check_whole(content: Content, name: str) -> None:
    """Whether it can stand alone; raises FleetError."""
    missing = [module for module in SYSTEM if DESIRED not in content.get(module, {})]
    if missing:
        text = f"{name}: has no {' and no '.join(missing)} with {DESIRED}: a layer goes with `fleet deploy --layered`"
        raise FleetError(text, Exit.CONTENT)


def deployment(
    name: str,
    content: Content,
    *,
    layered: bool,
    target: str,
    priority: int,
    labels: Sequence[str] = (),
    metrics: Sequence[str] = (),
) -> dict[str, Any]:
    """The body of PUT /configurations/NAME; labels and metrics are NAME=VALUE. Raises FleetError."""
    if not _ID.fullmatch(name):
        raise FleetError(f"{name!r} is no id of a deployment: small letters, digits and -:+%_#*?!(),=@;$'", Exit.USAGE)
    if layered != is_layer(content):
        what = "is no layer: leave --layered out" if layered else "is a layer: say --layered"
        raise FleetError(f"the content {what}", Exit.CONTENT)
    if not layered:
        check_whole(content, "the content")
    return {
        "id": name,
        "schemaVersion": "2.0",
        "labels": {key: str(value_of(value)) for key, value in map(_pair, labels)},
        "content": {"modulesContent": content},
        "targetCondition": target,
        "priority": priority,
        "metrics": {"queries": dict(map(_pair, metrics))},
    }


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise FleetError(f"{text!r} is not NAME=VALUE", Exit.USAGE)
    return name, value
