"""Which gateways are meant, and what their inference modules are told. Patches are pure; the hub is asked by `tell`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any, Final

from fleet import targets
from fleet.connected import hub_of
from fleet.exits import FleetError
from fleet.hub import Hub

MODULE: Final = "inference"

Patch = dict[str, Any]


def add_choice(parser: argparse.ArgumentParser) -> None:
    """The arguments that say which gateways."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--gateway", action="append", metavar="DEVICE", help="one gateway; may be given again")
    which.add_argument("--where", metavar="CONDITION", help="all whose twin fits, as \"tags.models = 'canary'\"")
    parser.add_argument("--module", default=MODULE, help=f"the module's id (default {MODULE})")


def meant(hub: Hub, arguments: argparse.Namespace) -> list[str]:
    """The gateways that the arguments name. Raises FleetError where there is none."""
    if arguments.gateway:
        return list(arguments.gateway)
    return targets.meeting(hub, arguments.where)


def promoted(name: str, target: str) -> Patch:
    """A version becomes the one that runs; a trial of this package is over."""
    return {"versions": {name: target}, "trials": {name: None}}


def tried(name: str, trial: Patch) -> Patch:
    """A challenger beside the package; of the trial before nothing stays."""
    whole = dict.fromkeys(("target", "path", "mode", "share", "guard", "rule"))
    return {"trials": {name: {**whole, **trial}}}


def ended(name: str) -> Patch:
    """The trial is over, the champion stays."""
    return {"trials": {name: None}}


def back(name: str, target: str | None) -> Patch:
    """Back to a version, or (None) to what the gateway's own settings name."""
    return {"versions": {name: target}, "trials": {name: None}}


def tell(arguments: argparse.Namespace, settings: Patch) -> Iterator[dict[str, Any]]:
    """Patch each gateway's twin; a line for each, with `error` where it was not done. Raises FleetError."""
    hub = hub_of(arguments)
    patch = {"properties": {"desired": {"settings": settings}}}
    for gateway in meant(hub, arguments):
        said: dict[str, Any] = {"gateway": gateway, "module": arguments.module, "settings": settings}
        if not arguments.dry_run:
            try:
                twin = hub.patch_twin(gateway, arguments.module, patch)
            except FleetError as error:
                yield {**said, "error": str(error)}
                continue
            said["version"] = twin["properties"]["desired"]["$version"]
        yield said
