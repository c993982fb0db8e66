"""Which gateways are meant: named one by one, or by a target condition as automatic deployments have it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any, Final

from fleet.exits import Exit, FleetError
from fleet.gateway import AGENT, STATUS
from fleet.hub import Document, Hub

PAGE: Final = 100
EDGE: Final = "capabilities.iotEdge = true"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name gateways."""
    parser.add_argument("--device", "-d", action="append", default=[], metavar="ID", help="a gateway; may be repeated")
    parser.add_argument("--where", metavar="CONDITION", help="a target condition, as \"tags.site = 'ulm'\"; * for all")


def query(where: str | None) -> str:
    """The query over the device twins of all gateways that meet a condition."""
    condition = "" if where is None or where.strip() == "*" else f" AND ({where})"
    return f"SELECT * FROM devices WHERE {EDGE}{condition}"  # noqa: S608  the operator's own query


def modules_query(devices: list[str]) -> str:
    """The query over the two module twins of each of these gateways that tell how it does."""
    which = f"deviceId IN [{_list(devices)}] AND moduleId IN [{_list([AGENT, STATUS])}]"
    return f"SELECT * FROM devices.modules WHERE {which}"  # noqa: S608  IoT Hub's language, quoted by _list


def named(hub: Hub, arguments: argparse.Namespace) -> list[str]:
    """The ids of the gateways that the arguments mean, in order; raises FleetError when they mean none."""
    if bool(arguments.device) == bool(arguments.where):
        raise FleetError("name gateways with --device, or with --where CONDITION", Exit.USAGE)
    if arguments.device:
        return list(dict.fromkeys(arguments.device))
    return sorted(meeting(hub, arguments.where))


def meeting(hub: Hub, where: str) -> list[str]:
    """The ids of the gateways that meet a condition; raises FleetError when none does."""
    found = [str(twin["deviceId"]) for page in hub.query(query(where), PAGE) for twin in page]
    if not found:
        raise FleetError(f"no gateway meets {where!r}", Exit.REFUSED)
    return found


def pages(hub: Hub, where: str | None, page: int) -> Iterator[list[tuple[Document, dict[str, Document]]]]:
    """Device twins of gateways, each with its module twins by name; at most a page of them is in memory."""
    for devices in hub.query(query(where), page):
        found: dict[str, dict[str, Any]] = {str(twin["deviceId"]): {} for twin in devices}
        if found:
            for modules in hub.query(modules_query(sorted(found)), 2 * page):
                for twin in modules:
                    found[str(twin["deviceId"])][str(twin["moduleId"])] = twin
        yield [(twin, found[str(twin["deviceId"])]) for twin in devices]


def _list(values: list[str]) -> str:
    return ", ".join("'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'" for value in values)
