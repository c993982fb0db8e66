"""Which gateways are meant, and what their inference modules are told. Patches are pure; the hub is asked by `tell`."""

from __future__ import annotations

import argparse
import json
from typing import Any, Final

from fleet import targets
from fleet.connected import hub_of
from fleet.each import Outcome, each
from fleet.exits import Exit
from fleet.hub import progress
from fleet.options import at_least_one
from fleet.outcomes import finish

MODULE: Final = "inference"

Patch = dict[str, Any]


def add_choice(parser: argparse.ArgumentParser) -> None:
    """The arguments that say which gateways."""
    targets.configure(parser)
    parser.add_argument("--module", default=MODULE, help=f"the module's id (default {MODULE})")
    parser.add_argument("--at-once", type=at_least_one, default=8, metavar="N", help="gateways at a time (default 8)")


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


def tell(arguments: argparse.Namespace, settings: Patch) -> int:
    """Patch each gateway's twin, some at once; the exit code says whether all were told. Raises FleetError."""
    hub, told = hub_of(arguments), progress(arguments.quiet)
    patch = {"properties": {"desired": {"settings": settings}}}
    devices = targets.named(hub, arguments)
    if arguments.dry_run:
        requests = [f"PATCH /twins/{device}/modules/{arguments.module}" for device in devices]
        print(json.dumps({"requests": requests, "patch": patch}, indent=2))
        return Exit.OK

    def act(device: str) -> dict[str, int]:
        return {"version": int(hub.patch_twin(device, arguments.module, patch)["properties"]["desired"]["$version"])}

    done: list[Outcome] = []
    for outcome in each(devices, act, at_once=arguments.at_once):
        done.append(outcome)
        words = outcome.failure or f"desired {outcome.result['version']}"
        told(f"{len(done)} of {len(devices)}: {outcome.device}/{arguments.module} {words}")
    return finish(arguments, done)
