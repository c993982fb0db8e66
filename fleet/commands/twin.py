"""`fleet twin show|set`."""

from __future__ import annotations

import argparse
import json
import sys

from fleet import patch
from fleet.connected import hub_of
from fleet.exits import Exit


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("verb", choices=("show", "set"))
    parser.add_argument("device", metavar="DEVICE[/MODULE]", help="press4, or press4/camera, or 'press4/$edgeAgent'")
    parser.add_argument("patch", nargs="*", help='for set: desired properties as JSON or NAME.NAME=VALUE; "-": stdin')
    parser.add_argument("--tag", action="append", default=[], metavar="NAME=VALUE", help="for set: a tag of the device")


def run(arguments: argparse.Namespace) -> int:
    """Print the twin; when asked to set, as it is then."""
    device, _, module = arguments.device.partition("/")
    if arguments.verb == "show":
        print(json.dumps(hub_of(arguments).twin(device, module or None), indent=2))
        return Exit.OK
    words = [sys.stdin.read()] if arguments.patch == ["-"] else arguments.patch
    wanted = {
        **({"properties": {"desired": patch.parse(words)}} if words else {}),
        **({"tags": patch.parse(arguments.tag)} if arguments.tag else {}),
    }
    if arguments.dry_run:
        print(json.dumps({"twin": arguments.device, "patch": wanted}, indent=2))
        return Exit.OK
    twin = hub_of(arguments).patch_twin(device, module or None, wanted)
    version = twin["properties"]["desired"]["$version"]
    print(json.dumps(twin, indent=2) if arguments.format == "json" else f"{arguments.device}: desired {version}")
    return Exit.OK
