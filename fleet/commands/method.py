"""`fleet method`: call a direct method of one gateway, or of many, some at once."""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable
from typing import Any, Final

from fleet import backoff, targets
from fleet.connected import hub_of
from fleet.each import Outcome, each
from fleet.exits import Exit, FleetError
from fleet.hub import RefusedError, progress
from fleet.options import at_least_one
from fleet.outcomes import finish
from fleet.patch import json_of

SHORTEST_S: Final = 5  # of IoT Hub (iot-hub-devguide-direct-methods): 5 to 300 s
LONGEST_S: Final = 300
_AWAY: Final = 404  # an absent module and one that does not answer in time are both answered so


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    targets.configure(parser)
    parser.add_argument("module", help="the module, or - for a method of the device itself")
    parser.add_argument("name", help="the method")
    parser.add_argument("payload", nargs="?", default="null", help="JSON (default null)")
    parser.add_argument("--timeout", type=int, default=30, metavar="S", help="for the answer, 5 to 300 (default 30)")
    parser.add_argument(
        "--connect", type=int, default=0, metavar="S", help="wait for one that is away, to 300 (default 0)"
    )
    parser.add_argument("--at-once", type=at_least_one, default=8, metavar="N", help="gateways at a time (default 8)")
    parser.add_argument(
        "--retries",
        type=int,
        default=0,
        metavar="N",
        help="call one again that is away or silent (default 0: it may act)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Call it; the exit code says whether each answered below 300."""
    if not SHORTEST_S <= arguments.timeout <= LONGEST_S or not 0 <= arguments.connect <= LONGEST_S:
        raise FleetError(f"--timeout is {SHORTEST_S} to {LONGEST_S} s, --connect 0 to {LONGEST_S}", Exit.USAGE)
    payload = json_of(arguments.payload)
    hub, told = hub_of(arguments), progress(arguments.quiet)
    devices = targets.named(hub, arguments)
    module = None if arguments.module == "-" else arguments.module
    if arguments.dry_run:
        where = f"/modules/{module}" if module else ""
        requests = [f"POST /twins/{device}{where}/methods" for device in devices]
        print(json.dumps({"requests": requests, "methodName": arguments.name, "payload": payload}, indent=2))
        return Exit.OK

    def call(device: str) -> Any:
        return hub.invoke(device, module, arguments.name, payload, arguments.timeout, arguments.connect)

    done: list[Outcome] = []
    for outcome in each(devices, _again(call, arguments.retries), at_once=arguments.at_once):
        done.append(outcome)
        told(f"{len(done)} of {len(devices)}: {outcome.device} {outcome.failure or outcome.result['status']}")
        if arguments.format == "table" and not outcome.failure:
            print(f"{outcome.device} {outcome.result['status']} {json.dumps(outcome.result['payload'])}")
    return finish(arguments, done)


def _again(call: Callable[[str], Any], retries: int) -> Callable[[str], Any]:
    """The same call, tried again while the module is away; an answer of 300 and above is a failure."""

    def act(device: str) -> Any:
        for attempt in range(1, retries + 2):
            try:
                answer = call(device)
                break
            except RefusedError as error:
                if error.status != _AWAY or attempt > retries:
                    raise
                time.sleep(backoff.pause(attempt, None, random.random()))  # noqa: S311  spreads those who wait
        if answer["status"] >= 300:
            raise FleetError(f"answered {answer['status']} {json.dumps(answer['payload'])}")
        return answer

    return act
