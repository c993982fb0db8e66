"""`fleet alerts`: what arrived in localhub's cloud. IoT Hub keeps no message: on Azure it says where to look."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from fleet import login
from fleet.arrivals import arrivals
from fleet.exits import Exit
from fleet.options import at_least_one

ON_AZURE: Final = """IoT Hub hands messages on and keeps none. Where alerts are, with infra/main.bicep deployed:

  blobs            container `alerts` of the storage account, JSON by day: for looking back
  event hub        the hub's own endpoint, as they come:
                   az iot hub monitor-events --hub-name {name} --properties app sys
  how many now     python -m fleet status --only-trouble
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("-n", type=at_least_one, default=20, metavar="N", help="the last so many (default 20)")
    parser.add_argument("--device", "-d", action="append", default=[], metavar="ID", help="only from this gateway")
    parser.add_argument("--kind", default="alert", help="of this kind (default alert); * for every message")


def run(arguments: argparse.Namespace) -> int:
    """Print them, oldest first; or say where they are."""
    found = login.find(arguments.login, os.environ, Path())
    if found.on_azure:
        text = ON_AZURE.format(name=found.host.partition(".")[0])
        print(json.dumps({"where": text}) if arguments.format == "json" else text, end="")
        return Exit.OK
    kind = None if arguments.kind == "*" else arguments.kind
    for arrival in arrivals(found, arguments.n, arguments.device, kind):
        print(json.dumps(arrival) if arguments.format == "json" else line(arrival))
    return Exit.OK


def line(arrival: Mapping[str, Any]) -> str:
    """An arrival for a person."""
    sender = "/".join(filter(None, (arrival["device"], arrival["module"])))
    facts = arrival["properties"]
    body = arrival.get("body")
    text = body.get("text") if isinstance(body, Mapping) else None
    said = text if isinstance(text, str) else json.dumps(body) if body is not None else f"<{arrival['size']} bytes>"
    return "  ".join(filter(None, (arrival["time"], sender, facts.get("severity", ""), said)))
