"""`python -m fleet`: the gateways of a hub, by the same commands against Azure IoT Hub and against localhub."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from fleet import exits, login
from fleet.exits import Exit, FleetError
from fleet.options import common
from fleet.registry import COMMANDS

TOPICS: Final[Mapping[str, str]] = {"exit-codes": exits.HELP, "login": login.HELP}


def main(words: Sequence[str] | None = None) -> int:
    """Read the command line, hand over to the command, turn what went wrong into a line and an exit code."""
    words = list(sys.argv[1:] if words is None else words)
    arguments = parser(words[0] if words else "").parse_args(words)
    try:
        if arguments.command == "help":
            print(TOPICS[arguments.topic], end="")
            return Exit.OK
        return COMMANDS[arguments.command].load().run(arguments)
    except FleetError as error:
        print(f"fleet: {error}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        print("fleet: interrupted; what was asked of the hub before stays asked", file=sys.stderr)
        return Exit.SOME
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output, as `head`, has had enough
        return Exit.OK


def parser(asked: str) -> argparse.ArgumentParser:
    """The command line; only the command that was asked for is imported for its arguments."""
    top = argparse.ArgumentParser(
        prog="fleet",
        description=__doc__,
        epilog=f"more: fleet help {{{','.join(TOPICS)}}}",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        one = commands.add_parser(name, help=command.summary, description=command.summary, parents=[common()])
        if name == asked:
            command.load().configure(one)
    helped = commands.add_parser("help", help="what exit codes mean, how the hub is found")
    helped.add_argument("topic", choices=tuple(TOPICS))
    return top


if __name__ == "__main__":
    sys.exit(main())
