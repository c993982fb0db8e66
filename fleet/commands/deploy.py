"""`fleet deploy`: automatic and layered deployments, which IoT Hub itself brings to every gateway they target."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from fleet import content, table
from fleet.connected import hub_of
from fleet.exits import Exit, FleetError
from fleet.hub import Hub
from fleet.table import Column

_COLUMNS: Final[tuple[Column, ...]] = (
    ("deployment", 24),
    ("priority", 8),
    ("targeted", 8),
    ("applied", 8),
    ("ok", 6),
    ("failed", 6),
    ("condition", 40),
)
_METRICS: Final = ("targetedCount", "appliedCount", "reportedSuccessfulCount", "reportedFailedCount")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("verb", choices=("put", "list", "show", "delete"))
    parser.add_argument("name", nargs="?", help="the deployment's id, small letters and digits")
    parser.add_argument("content", nargs="?", type=Path, help="for put: a manifest, or a layer's (make layer)")
    parser.add_argument("--layered", action="store_true", help="for put: it lies on others of lower priority")
    parser.add_argument(
        "--where", metavar="CONDITION", help="for put: whom it targets, as \"tags.site = 'ulm'\"; *: all"
    )
    parser.add_argument("--priority", type=int, default=0, help="for put: the highest counts (default 0)")
    parser.add_argument("--label", action="append", default=[], metavar="NAME=TEXT")
    parser.add_argument("--metric", action="append", default=[], metavar="NAME=QUERY", help="a query that is counted")


def run(arguments: argparse.Namespace) -> int:
    """Do what the verb says."""
    if arguments.verb == "list":
        return _list(arguments)
    if not arguments.name:
        raise FleetError(f"{arguments.verb} wants the name of a deployment", Exit.USAGE)
    return {"put": _put, "show": _show, "delete": _delete}[arguments.verb](arguments)


def _put(arguments: argparse.Namespace) -> int:
    if arguments.content is None or arguments.where is None:
        raise FleetError("put wants a content, and --where for whom it is (* for all)", Exit.USAGE)
    wanted = content.deployment(
        arguments.name,
        content.read(arguments.content),
        layered=arguments.layered,
        target=arguments.where,
        priority=arguments.priority,
        labels=arguments.label,
        metrics=arguments.metric,
    )
    if arguments.dry_run:
        print(json.dumps({"request": f"PUT /configurations/{arguments.name}", "body": wanted}, indent=2))
        return Exit.OK
    hub = hub_of(arguments)
    before = hub.deployment(arguments.name)
    etag = _etag(before, wanted)
    _print(arguments, hub.put_deployment(wanted, etag))
    return Exit.OK


def _etag(before: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> str | None:
    """The etag of what is there; raises FleetError when its content would have to change, which IoT Hub does not do."""
    if before is None:
        return None
    if before["content"].get("modulesContent") != wanted["content"]["modulesContent"]:
        what = f"{wanted['id']} is there with another content, which IoT Hub never changes"
        raise FleetError(f"{what}: put a new name, of a higher priority")
    return str(before["etag"])


def _show(arguments: argparse.Namespace) -> int:
    found = _known(hub_of(arguments), arguments.name)
    _print(arguments, found)
    return Exit.OK


def _delete(arguments: argparse.Namespace) -> int:
    if arguments.dry_run:
        print(json.dumps({"request": f"DELETE /configurations/{arguments.name}"}, indent=2))
        return Exit.OK
    hub = hub_of(arguments)
    hub.delete_deployment(arguments.name, str(_known(hub, arguments.name)["etag"]))
    print(json.dumps({"deleted": arguments.name}) if arguments.format == "json" else f"{arguments.name} deleted")
    return Exit.OK


def _list(arguments: argparse.Namespace) -> int:
    found = sorted(hub_of(arguments).deployments(), key=lambda one: (-one.get("priority", 0), one["id"]))
    if arguments.format == "json":
        print(json.dumps(found, indent=2))
    else:
        for line in table.lines(_COLUMNS, map(_row, found)):
            print(line)
    return Exit.OK


def _known(hub: Hub, name: str) -> dict[str, Any]:
    found = hub.deployment(name)
    if found is None:
        raise FleetError(f"there is no deployment {name}")
    return found


def _print(arguments: argparse.Namespace, found: Mapping[str, Any]) -> None:
    if arguments.format == "json":
        print(json.dumps(found, indent=2))
        return
    for line in table.lines(_COLUMNS, [_row(found)]):
        print(line)
    for name, count in _results(found, "metrics").items():
        print(f"  {name}: {count}")


def _row(found: Mapping[str, Any]) -> list[str]:
    counts = _results(found, "systemMetrics")
    known = [str(counts.get(name, "")) for name in _METRICS]
    return [str(found["id"]), str(found.get("priority", 0)), *known, str(found.get("targetCondition", ""))]


def _results(found: Mapping[str, Any], which: str) -> Mapping[str, Any]:
    results = (found.get(which) or {}).get("results")
    return results if isinstance(results, Mapping) else {}
