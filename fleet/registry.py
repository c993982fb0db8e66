"""The commands by name. Each is a module or package with `configure(parser)` and `run(arguments) -> int`.

One is imported when it is asked for: the service SDK takes a second, and `--help` needs none of it.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol, cast


class Implementation(Protocol):
    """What a command's module offers."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's own arguments; --login, --format, --dry-run, --tries and --quiet are there."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it; the exit code. Raises FleetError."""


@dataclass(frozen=True, slots=True)
class Command:
    """Where a command is, and the line that lists it."""

    module: str
    summary: str

    def load(self) -> Implementation:
        """Its implementation."""
        return cast("Implementation", importlib.import_module(self.module))


COMMANDS: Final[Mapping[str, Command]] = {
    "status": Command("fleet.commands.status", "how every gateway does"),
    "set-modules": Command("fleet.commands.setmodules", "give gateways their modules, and see each of them run"),
    "deploy": Command("fleet.commands.deploy", "automatic and layered deployments"),
    "method": Command("fleet.commands.method", "call a direct method of one gateway or of many"),
    "alerts": Command("fleet.commands.alerts", "what arrived upstream, from localhub; on Azure, where to look"),
    "twin": Command("fleet.commands.twin", "show and change the twin of a device or module"),
    "model": Command("fleet.model", "publish, try, promote and roll back models"),
}
