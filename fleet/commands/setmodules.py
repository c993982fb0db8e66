"""`fleet set-modules`: give gateways their modules, some at once; the next ones begin when these run."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from fleet import content, targets
from fleet.connected import hub_of
from fleet.each import Outcome, each
from fleet.exits import Exit, FleetError
from fleet.gateway import AGENT, settled
from fleet.hub import Hub, progress
from fleet.options import at_least_one
from fleet.outcomes import finish

ASK_EVERY_S: Final = 1.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    targets.configure(parser)
    parser.add_argument("content", type=Path, help="a deployment manifest, as `make build` writes it to config/")
    parser.add_argument("--at-once", type=at_least_one, default=1, metavar="N", help="gateways at a time (default 1)")
    parser.add_argument(
        "--wait",
        type=float,
        default=300.0,
        metavar="S",
        help="how long one may take to run it (default 300; 0: no wait)",
    )
    parser.add_argument(
        "--max-failures", type=int, metavar="N", help="begin no more once more than N have failed (default: go on)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Roll it out; the exit code says whether every gateway runs it."""
    modules = content.read(arguments.content)
    content.check_whole(modules, str(arguments.content))
    told = progress(arguments.quiet)
    hub = hub_of(arguments)
    devices = targets.named(hub, arguments)
    if arguments.dry_run:
        requests = [f"POST /devices/{device}/applyConfigurationContent" for device in devices]
        print(json.dumps({"requests": requests, "modulesContent": modules}, indent=2))
        return Exit.OK
    done: list[Outcome] = []
    act = _act(hub, modules, arguments.wait)
    for outcome in each(devices, act, at_once=arguments.at_once, most_failures=arguments.max_failures):
        done.append(outcome)
        told(f"{len(done)} of {len(devices)}: {outcome.device} {_words(outcome)}")
    return finish(arguments, done)


def _act(hub: Hub, modules: dict[str, Any], wait_s: float) -> Callable[[str], dict[str, Any]]:
    def act(device: str) -> dict[str, Any]:
        hub.set_modules(device, modules)
        if not wait_s:
            return {"state": "set"}
        return {"state": "runs", "version": _wait(hub, device, wait_s)}

    return act


def _wait(hub: Hub, device: str, wait_s: float) -> int:
    """Until the gateway runs what it was sent; the version of its $edgeAgent's desired properties."""
    agent = hub.twin(device, AGENT)
    wanted = int(agent["properties"]["desired"]["$version"])
    end = time.monotonic() + wait_s
    while (outcome := settled(agent, wanted)) is None:
        if time.monotonic() > end:
            raise FleetError(f"does not run version {wanted} after {wait_s:g} s; it goes on trying")
        time.sleep(ASK_EVERY_S)
        agent = hub.twin(device, AGENT)
    if outcome:
        raise FleetError(outcome)
    return wanted


def _words(outcome: Outcome) -> str:
    if outcome.skipped:
        return "was not begun"
    if outcome.failure:
        return f"failed: {outcome.failure}"
    return str(outcome.result["state"]) + (
        f" version {outcome.result['version']}" if "version" in outcome.result else ""
    )
