"""The options that every command has."""

from __future__ import annotations

import argparse
from typing import Final

TRIES: Final = 6


def common() -> argparse.ArgumentParser:
    """A parent parser: the hub, how to print, how much to do, how long to be patient."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("--login", metavar="TEXT|@FILE", help="the hub (default IOTHUB_CONNECTION_STRING, or .env)")
    parent.add_argument("--format", choices=("table", "json"), default="table", help="how to print")
    parent.add_argument("--dry-run", action="store_true", help="say what would be asked of the hub, and change nothing")
    parent.add_argument(
        "--tries", type=at_least_one, default=TRIES, help=f"how often to ask a hub that is busy (default {TRIES})"
    )
    parent.add_argument("--quiet", action="store_true", help="no progress on standard error")
    return parent


def at_least_one(text: str) -> int:
    """A whole number from 1, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number
