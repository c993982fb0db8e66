"""Twins as the service API shows them. Pure.

Unlike IoT Hub's, `$metadata` has one `$lastUpdated` for the whole half: the times of single properties are not kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from localhub.cloud.service.answers import etag
from localhub.cloud.service.registry import NEVER, Entry
from localhub.twin import Properties, Twin

EMPTY: Final = Twin(Properties({}, 1), Properties({}, 1))


def twin_document(entry: Entry, twin: Twin | None, *, connected: bool) -> dict[str, Any]:
    """One twin, of a device or a module; also what queries and target conditions look at."""
    twin = twin or EMPTY
    identity = entry.identity
    version = entry.tags_version + twin.desired.version - 1
    document: dict[str, Any] = {"deviceId": identity.device}
    if identity.module is not None:
        document["moduleId"] = identity.module
    return document | {
        "etag": etag(version),
        "deviceEtag": etag(entry.version),
        "status": entry.facts["status"],
        "statusUpdateTime": NEVER,
        "connectionState": "Connected" if connected else "Disconnected",
        "lastActivityTime": NEVER,
        "cloudToDeviceMessageCount": 0,
        "authenticationType": entry.facts["authentication"]["type"],
        "x509Thumbprint": entry.facts["authentication"]["x509Thumbprint"],
        "version": version,
        "tags": dict(entry.tags),
        "properties": {"desired": _half(twin.desired), "reported": _half(twin.reported)},
        "capabilities": {"iotEdge": entry.edge},
        "configurations": dict(entry.configurations),
    }


def desired_of(document: Mapping[str, Any]) -> Any:
    """The desired half of what a client sent; None where it sent none."""
    properties = document.get("properties")
    return properties.get("desired") if isinstance(properties, Mapping) else None


def _half(half: Properties) -> dict[str, Any]:
    return {**half.document, "$metadata": {"$lastUpdated": NEVER}, "$version": half.version}
