"""The commands that ask or touch a running localhub. Each prints for a person, or with `--format json` the document."""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TextIO
from urllib.parse import quote

from localhub import faults
from localhub.agent import proc
from localhub.agent.logs import last
from localhub.control.client import Client, ControlError, NotRunningError, start_hint
from localhub.control.sockets import answers
from localhub.deployed import UnknownModuleError, check_module
from localhub.exits import CannotStartError, Exit
from localhub.overview import Overview, duration, overview, size
from localhub.state import State, StateError

PARTS = ("hub", "cloud", "agent")
FOLLOW_EVERY_S = 0.2
STOP_S = 15.0
MODULE_TIMEOUT_S = 30.0
GATEWAY_S = 120.0  # to start one, on a machine that is busy


def run(options: argparse.Namespace) -> int:
    """Run one command; its exit code."""
    try:
        state = State.load(options.state)
    except StateError:
        _say(start_hint(options.state), file=sys.stderr)
        return Exit.NOT_RUNNING
    try:
        state = _chosen(state, getattr(options, "gateway", None))
        return _command(options.command)(options, state)
    except NotRunningError as error:
        _say(str(error), file=sys.stderr)
        return Exit.NOT_RUNNING
    except (ControlError, UnknownModuleError) as error:
        _say(f"localhub: {error}", file=sys.stderr)
        return Exit.FAILED


def _chosen(first: State, gateway: str | None) -> State:
    """The gateway that is meant; raises UnknownModuleError."""
    if gateway in (None, first.gateway):
        return first
    known = {state.gateway: state for state in map(State.load, first.gateways)}
    if gateway not in known:
        raise UnknownModuleError(f"there is no gateway {gateway}; there are: {', '.join((first.gateway, *known))}")
    return known[gateway]


def _command(name: str) -> Callable[[argparse.Namespace, State], int]:
    if name in COMMANDS:
        return COMMANDS[name]
    from localhub.cloud.commands import COMMANDS as ASKS_CLOUD  # noqa: PLC0415  the database is not for everybody

    return ASKS_CLOUD[name]


def _say(text: str, *, file: TextIO | None = None, flush: bool = False) -> None:
    print(text, file=file or sys.stdout, flush=flush)


def _client(state: State, path: Path, timeout_s: float = MODULE_TIMEOUT_S) -> Client:
    return Client(path, hint=start_hint(state.root), timeout_s=timeout_s)


def _print(options: argparse.Namespace, document: Any, text: str) -> None:
    _say(json.dumps(document, indent=2) if options.format == "json" else text)


def _status(options: argparse.Namespace, state: State) -> int:
    document = _client(state, state.supervisor_socket).get("/status")
    if options.pss:
        document["agent"] = _client(state, state.agent_socket).get("/status", pss=1)
    _print(options, document, status_text(overview(document), document))
    return Exit.OK


def status_text(now: Overview, document: dict[str, Any]) -> str:
    """A status for a person."""
    strict = ", strict" if document.get("strict") else ""
    lines = [f"up {duration(now.uptime_s)} at {document['address']}:8883, state {document['state']}{strict}"]
    lines.append("  ".join(f"{name} {state}" for name, state in now.processes.items()))
    width = max((len(row.name) for row in now.rows), default=0)
    for row in now.rows:
        what = "leaf  " if row.leaf else "module"
        where = "connected" if row.connected else "not connected" if row.state == "running" else ""
        lines.append(
            f"{what} {row.name:{width}} {row.state:8} {where:13} cpu {row.cpu_percent:3.0f} %  {size(row.rss):>8}  "
            f"sent {row.sent_per_s:.1f}/s  received {row.received_per_s:.1f}/s  restarts {row.restarts}"
        )
    reduction = "" if now.reduction is None else f" ({now.reduction:.2%} of it)"
    lines.append(f"in {size(now.bytes_in)}, up {size(now.bytes_up)}{reduction}, arrived {now.arrivals}")
    lines.append(f"link {now.link}, queued {now.queued}, {now.queued_up} of them for the cloud")
    faults_set = (document.get("hub") or {}).get("faults", {})
    lines += [f"fault on command: {name} {json.dumps(value)}" for name, value in faults_set.items() if value]
    lines += [f"dropped {count}: {reason}" for reason, count in now.dropped.items() if count]
    return "\n".join(lines)


def _gateway(options: argparse.Namespace, state: State) -> int:
    client = _client(state, state.supervisor_socket, GATEWAY_S)
    if options.verb == "list":
        found = client.get("/gateways")
        _print(options, found, "\n".join(gateway_text(each) for each in found))
    elif options.verb == "add":
        if options.address and len(options.names) > 1:
            raise CannotStartError("--address is for one gateway; leave it out for several", Exit.USAGE)
        for name in options.names:
            wanted = {
                "name": name,
                "manifest": options.manifest and str(options.manifest.resolve()),
                "layers": [str(layer.resolve()) for layer in options.layer],
                "config": options.config and str(options.config.resolve()),
                "address": options.address,
            }
            facts = client.post("/gateways", wanted)
            _print(options, facts, f"{name} at {facts['address']}:8883, state {facts['state']}")
    else:
        for name in options.names:
            client.post(f"/gateways/{quote(name, safe='')}/remove")
            _print(options, {"removed": name}, f"{name} removed")
    return Exit.OK


def gateway_text(facts: dict[str, Any]) -> str:
    """A gateway of the list for a person."""
    memory = size(sum(process["rss"] or 0 for process in facts["processes"]))
    modules = ", ".join(f"{name} {state}" for name, state in facts["modules"].items()) or "no modules"
    return f"{facts['gateway']:12} {facts['address']:15} link {facts['link']:8} hub and agent {memory:>8}  {modules}"


def _restart(options: argparse.Namespace, state: State) -> int:
    if options.name in PARTS:
        path = f"/restart/{options.name}{'?kill=1' if options.kill else ''}"
        facts = _client(state, state.supervisor_socket).post(path)
    else:
        verb = "kill" if options.kill else "restart"
        facts = _client(state, state.agent_socket).post(f"/module/{options.name}/{verb}")
    _print(options, facts, f"{options.name} {facts['state']}, process {facts['pid']}")
    return Exit.OK


def _act(verb: str) -> Callable[[argparse.Namespace, State], int]:
    def act(options: argparse.Namespace, state: State) -> int:
        facts = _client(state, state.agent_socket).post(f"/module/{options.name}/{verb}")
        _print(options, facts, f"{options.name} {facts['state']}")
        return Exit.OK

    return act


def _stop(options: argparse.Namespace, state: State) -> int:
    facts = _client(state, state.supervisor_socket).post("/stop")
    end = time.monotonic() + STOP_S
    # The process of a gateway that was added goes on, with the others.
    while proc.started(facts["pid"]) if state.cloud is None else answers(state.supervisor_socket):
        if time.monotonic() > end:
            raise CannotStartError(f"process {facts['pid']} still runs after {STOP_S:g} s: kill it", Exit.FAILED)
        time.sleep(FOLLOW_EVERY_S / 4)
    _print(options, {"stopped": True}, "stopped")
    return Exit.OK


def _link(options: argparse.Namespace, state: State) -> int:
    body: dict[str, Any] = {"state": options.link}
    body |= {
        key: value
        for key in ("bytes_per_s", "latency_ms", "loss_percent")
        if (value := getattr(options, key)) is not None
    }
    facts = _client(state, state.hub_socket).post("/link", body)
    _print(options, facts, f"link {options.link}")
    return Exit.OK


def _send(options: argparse.Namespace, state: State) -> int:
    module, slash, target = options.target.partition("/")
    properties = dict(item.partition("=")[::2] for item in options.property)
    if not (module and slash and target) or not all("=" in item for item in options.property):
        raise CannotStartError("write MODULE/INPUT, and each -p as KEY=VALUE", Exit.USAGE)
    check_module(state.manifest, module)
    body = sys.stdin.buffer.read() if str(options.file) == "-" else _read(options.file)
    message = {"module": module, "input": target, "body_b64": base64.b64encode(body).decode(), "properties": properties}
    facts = _client(state, state.hub_socket).post("/inject", message)
    _print(options, facts, f"queued {len(body)} bytes for {options.target}")
    return Exit.OK


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CannotStartError(f"{path}: {error.strerror}", Exit.USAGE) from error


def _watch(options: argparse.Namespace, state: State) -> int:
    if (module := options.pattern.partition("/")[0]) not in ("*", "$upstream"):
        check_module(state.manifest, module)
    query = {"pattern": options.pattern, **({"where": options.where} if options.where else {})}
    for number, message in enumerate(_client(state, state.hub_socket).stream("/watch", **query), 1):
        _say(json.dumps(message) if options.format == "json" else message_text(message), flush=True)
        if number == options.n:
            break
    return Exit.OK


def message_text(message: dict[str, Any]) -> str:
    """A watched message for a person: where it came from, its properties, its body."""
    if "missed" in message:
        return f"({message['missed']} messages came too fast to be shown)"
    facts = [str(message[key]) for key in ("time", "source", "output") if message.get(key)]
    properties = [f"{key}={value}" for key, value in (message.get("properties") or {}).items()]
    return "  ".join(filter(None, (" ".join(facts), " ".join(properties), str(message.get("body", "")))))


def _fault(options: argparse.Namespace, state: State) -> int:
    agent = _client(state, state.agent_socket)
    if getattr(options, "modules", False):  # first, for a machine may have no means for it
        agent.post("/clock", {"offset_s": options.offset_s})
    facts = _client(state, state.hub_socket).post("/fault", faults.body(options))
    if options.kind == "clear":
        agent.post("/clock", {"offset_s": 0})
    _print(options, facts, faults.text(options, facts))
    return Exit.OK


def _env(options: argparse.Namespace, state: State) -> int:
    agent = _client(state, state.agent_socket)
    facts = agent.post(f"/module/{options.name}/lend") if options.take else agent.get(f"/env/{options.name}")
    _print(options, facts, "\n".join(f"export {key}='{value}'" for key, value in facts.items()))
    if "LEAF_CONNECTION_STRING" in facts:
        way = f"`localhub halt {options.name}` first: a second connection of one device closes the first"
        _say(f"# {way}", file=sys.stderr)
    elif not options.take:
        _say(
            f"# {options.name} runs here and only its own process is believed: "
            f"`localhub env {options.name} --take` stops it so that yours can stand for it",
            file=sys.stderr,
        )
    return Exit.OK


def _logs(options: argparse.Namespace, state: State) -> int:
    path = state.log(options.name)
    if not path.exists():
        known = sorted(log.stem for log in path.parent.glob("*.log"))
        _say(f"localhub: no log of {options.name}; there are: {', '.join(known) or 'none'}", file=sys.stderr)
        return Exit.FAILED
    form: Callable[[str], str] = (lambda line: json.dumps({"line": line})) if options.format == "json" else str
    with path.open("rb") as file:
        for line in last(file, path, options.n):
            _say(form(line), flush=options.follow)
        for line in _added(file, path) if options.follow else ():
            _say(form(line), flush=True)
    return Exit.OK


def _added(file: BinaryIO, path: Path) -> Iterator[str]:
    """The lines that are added to an open log, over the change to new files, without end."""
    rest = b""
    with contextlib.ExitStack() as stack:
        while True:
            if data := file.read():
                *lines, rest = (rest + data).split(b"\n")
                yield from (line.decode(errors="replace") for line in lines)
            elif path.exists() and path.stat().st_ino != _inode(file):
                stack.close()
                file = stack.enter_context(path.open("rb"))
            else:
                time.sleep(FOLLOW_EVERY_S)


def _inode(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_ino


COMMANDS: dict[str, Callable[[argparse.Namespace, State], int]] = {
    "status": _status,
    "restart": _restart,
    "start": _act("start"),
    "halt": _act("stop"),
    "stop": _stop,
    "gateway": _gateway,
    "link": _link,
    "send": _send,
    "watch": _watch,
    "fault": _fault,
    "env": _env,
    "logs": _logs,
}
