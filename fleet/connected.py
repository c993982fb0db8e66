"""From a command's arguments to its hub."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from fleet import login
from fleet.hub import Hub, progress


def hub_of(arguments: argparse.Namespace) -> Hub:
    """The hub that the arguments, the environment or `.env` name; raises FleetError."""
    found = login.find(arguments.login, os.environ, Path())
    return Hub(found, tries=arguments.tries, told=progress(arguments.quiet))
