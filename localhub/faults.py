"""`localhub fault`: the command line of the hub's faults. CLIENT is a module, `DEVICE/` or `DEVICE/MODULE`."""

from __future__ import annotations

import argparse
from typing import Any

CLIENT = "a module, DEVICE/ or DEVICE/MODULE"
EVERYBODY = f"{CLIENT} (default: all clients)"


def add_verbs(fault: argparse.ArgumentParser, asking: argparse.ArgumentParser) -> None:
    """Add what can be broken to the parser of `fault`; `asking` brings --state and --format."""
    verbs = fault.add_subparsers(dest="kind", required=True, metavar="FAULT")

    def verb(name: str, text: str) -> argparse.ArgumentParser:
        return verbs.add_parser(name, help=text, description=text, parents=[asking])

    verb("drop", "break a connection, as a network does").add_argument("client", nargs="?", help=EVERYBODY)
    refuse = verb("refuse", "answer the next CONNECTs with a CONNACK code")
    refuse.add_argument("code", type=int, choices=range(1, 6), help="3: the SDK tries again; 5: it gives up")
    refuse.add_argument("client", nargs="?", help=EVERYBODY)
    refuse.add_argument("--times", type=int, default=1, help="how many CONNECTs (default 1)")
    puback = verb("puback", "send every PUBACK late, in their order")
    puback.add_argument("delay_ms", type=float, metavar="MS", help="0: at once again")
    puback.add_argument("client", nargs="?", help=EVERYBODY)
    session = verb("session", "forget what a client has subscribed to, and break its connection")
    session.add_argument("client", help=CLIENT)
    tokens = verb("tokens", "take the tokens in use for expired, and break their connections")
    tokens.add_argument("client", nargs="?", help=EVERYBODY)
    disk = verb("disk", "let every write of the hub fail as on a full disk, or go well again")
    disk.add_argument("disk", choices=("full", "free"))
    clock = verb("clock", "put the hub's wall clock wrong")
    clock.add_argument("offset_s", type=float, metavar="SECONDS", help="+3600: an hour ahead; -1e9: decades behind; 0")
    clock.add_argument("--modules", action="store_true", help="the modules' too: they start again under libfaketime")
    verb("clear", "no more refusals, late PUBACKs and expired tokens; disk and clock are right again")


def body(options: argparse.Namespace) -> dict[str, Any]:
    """What the hub is sent."""
    given = {name: getattr(options, name, None) for name in ("client", "code", "times", "delay_ms", "offset_s")}
    if options.kind == "disk":
        given["full"] = options.disk == "full"
    return {"kind": options.kind, **{name: value for name, value in given.items() if value is not None}}


def text(options: argparse.Namespace, facts: dict[str, Any]) -> str:
    """What was done, for a person."""
    whom = getattr(options, "client", None) or "everybody"
    done = ", ".join(facts["clients"]) or "nobody"
    match options.kind:
        case "drop":
            return f"disconnected: {done}"
        case "refuse":
            return f"the next {options.times} CONNECT of {whom}: code {options.code}"
        case "puback":
            return f"PUBACKs to {whom}: {f'{options.delay_ms:g} ms late' if options.delay_ms else 'at once'}"
        case "session":
            return f"its session is lost: {done}"
        case "tokens":
            return f"tokens expired: {done}"
        case "disk":
            return f"the hub's disk is {options.disk}" if facts["disk_full"] else "the hub's disk has room"
        case "clock":
            whose = "hub and modules" if options.modules else "the hub"
            return f"the clock of {whose} is {f'{options.offset_s:+g} s wrong' if options.offset_s else 'right'}"
        case _:
            return "no faults are set"
