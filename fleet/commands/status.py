"""`fleet status`: how every gateway does, a page of twins at a time."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Final

from fleet import table, targets
from fleet.connected import hub_of
from fleet.exits import Exit
from fleet.gateway import SEVERITIES, Gateway, gateway, totals
from fleet.hub import progress
from fleet.options import at_least_one
from fleet.table import Column

_COLUMNS: Final[tuple[Column, ...]] = (
    ("gateway", 20),
    ("cloud", 5),
    ("deployment", 10),
    ("line", 8),
    ("link", 8),
    ("queue", 8),
    ("alerts", 12),
    ("drift", 16),
    ("versions", 40),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--where", metavar="CONDITION", help="only those that meet it, as \"tags.site = 'ulm'\"")
    parser.add_argument(
        "--only-trouble", action="store_true", help="only those that are away, behind, refused, failing or alarmed"
    )
    parser.add_argument(
        "--page", type=at_least_one, default=targets.PAGE, help=f"twins asked for at a time (default {targets.PAGE})"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print a line, or with --format json a document, for each gateway as it comes; then what they come to."""
    shown = _shown(arguments)
    if arguments.format == "json":
        found = totals(_printed_documents(shown))
        print(json.dumps({"totals": found}))
    else:
        found = totals(_printed_rows(shown))
        print("  ".join(f"{name} {count}" for name, count in found.items()))
    return Exit.OK


def _shown(arguments: argparse.Namespace) -> Iterator[Gateway]:
    hub, told, count = hub_of(arguments), progress(arguments.quiet), 0
    for page in targets.pages(hub, arguments.where, arguments.page):
        for device, modules in page:
            one = gateway(device, modules)
            if not arguments.only_trouble or troubled(one):
                yield one
        count += len(page)
        if count > arguments.page:
            told(f"{count} gateways")


def troubled(one: Gateway) -> bool:
    """Whether somebody should look at it."""
    alarmed = bool(one.alerts.get("critical") or one.alerts.get("warning"))
    behind = one.deployment in ("refused", "pending")
    return not one.connected or behind or bool(one.failing) or alarmed or one.link not in ("", "up")


def _printed_documents(shown: Iterator[Gateway]) -> Iterator[Gateway]:
    for one in shown:
        print(json.dumps(one.document()))
        yield one


def _printed_rows(shown: Iterator[Gateway]) -> Iterator[Gateway]:
    heading: str | None = None
    for one in shown:
        first, line = table.lines(_COLUMNS, [row(one)])
        if heading is None:
            print(heading := first)
        print(line)
        yield one


def row(one: Gateway) -> list[str]:
    """The cells of a gateway; what it does not say is a dash."""
    alerts = [f"{one.alerts[name]} {name}" for name in SEVERITIES if one.alerts.get(name)]
    drift = [f"{name} {value}" for name, value in one.drift.items() if value]
    failing = [f"{name} down" for name in one.failing]
    reason = [one.reason] if one.reason else []
    versions = [f"{name} {version}" for name, version in one.versions.items()]
    return [
        one.device,
        "up" if one.connected else "away",
        one.deployment,
        one.line or "-",
        one.link or "-",
        "-" if one.queue is None else f"{one.queue:g}",
        ", ".join(alerts) or "-",
        ", ".join(drift) or "-",
        ", ".join((*reason, *failing, *versions)) or "-",
    ]
