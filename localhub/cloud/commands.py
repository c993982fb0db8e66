"""`localhub apply`, `cloud tail|count`, `twin get|set` and `method`: what one would ask IoT Hub.

`tail` and `count` also work when nothing runs any more: they then read the file that the cloud has left.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from localhub.cloud.arrivals import Arrivals
from localhub.cloud.database import open_to_read
from localhub.control.client import Client, ControlError, NotRunningError, start_hint
from localhub.exits import CannotStartError, Exit
from localhub.state import State

OK, FAILED = 0, 1  # of localhub.exits
GRACE_S = 10.0  # over a method's own timeouts

Command = Callable[[argparse.Namespace, State], int]


def add_parsers(commands: Any, parent: argparse.ArgumentParser) -> None:
    """Add the commands to the subparsers of `localhub`; `parent` brings --state and --format."""
    apply = _command(commands, "apply", "deploy another manifest to what runs, as set-modules does", parent)
    apply.add_argument("manifest", type=Path, help="deployment.template.json or a deployment manifest")
    apply.add_argument("--layer", type=Path, action="append", default=[], help="a layered deployment, lowest first")

    cloud = _command(commands, "cloud", "what has arrived in the cloud").add_subparsers(
        dest="verb", required=True, metavar="VERB"
    )
    tail = cloud.add_parser("tail", help="the last messages that arrived", parents=[parent])
    tail.add_argument("-n", type=int, default=10, help="how many (default 10)")
    tail.add_argument("-f", "--follow", action="store_true", help="go on as they arrive")
    tail.add_argument("--raw", action="store_true", help="bodies always as base64")
    cloud.add_parser("count", help="messages, distinct ids, repeats", parents=[parent])
    login = cloud.add_parser(
        "login", help="the connection string for az iot --login and the service SDK", parents=[parent]
    )
    login.add_argument(
        "--fleet", action="store_true", help="with the CA to trust, as `python -m fleet --login` takes it"
    )

    twin = _command(commands, "twin", "a module's twin").add_subparsers(dest="verb", required=True, metavar="VERB")
    get = twin.add_parser("get", help="desired and reported properties", parents=[parent])
    get.add_argument("module")
    change = twin.add_parser("set", help="patch desired properties; null deletes", parents=[parent])
    change.add_argument("module")
    change.add_argument(
        "patch", nargs="+", help='a JSON object, or NAME.NAME=VALUE ..., as settings.rate=5; "-": stdin'
    )

    method = _command(commands, "method", "call a module's direct method, as the cloud does", parent)
    method.add_argument("module")
    method.add_argument("name")
    method.add_argument("payload", nargs="?", default="null", help="JSON")
    method.add_argument("--timeout", type=float, default=30.0, help="seconds to wait for the answer (5 to 300)")
    method.add_argument("--local", action="store_true", help="past the cloud, also while the link is down")


def apply_command(options: argparse.Namespace, state: State) -> int:
    """`localhub apply ...`: what `run` would refuse is refused with its line, and nothing changes."""
    from localhub.manifest.deployment import load_deployment  # noqa: PLC0415  the other commands need none of it
    from localhub.manifest.problem import ManifestError  # noqa: PLC0415

    try:
        deployment = load_deployment(options.manifest, options.layer)
    except ManifestError as error:
        raise CannotStartError(str(error)) from error
    except OSError as error:
        raise CannotStartError(f"{error.filename}: {error.strerror}", Exit.USAGE) from error
    for warning in deployment.warnings:
        print(warning, file=sys.stderr)  # noqa: T201
    body = {"device": state.gateway, "modulesContent": deployment.effective()}
    answer = _client(state, "cloud").post("/apply", body)
    _print(options, answer, f"changed: {', '.join(answer['changed']) or 'nothing'}")
    return OK


def cloud_command(options: argparse.Namespace, state: State) -> int:
    """`localhub cloud ...`."""
    return {"tail": _tail, "count": _count, "login": _login}[options.verb](options, state)


def twin_command(options: argparse.Namespace, state: State) -> int:
    """`localhub twin ...`."""
    path = f"/twin/{_identity(options.module, state)}"
    client = _client(state, "cloud")
    if options.verb == "set":
        twin = client.request("PATCH", path, parse_patch(options.patch))
        _print(options, twin, f"desired version {twin['desired']['$version']}")
    else:
        twin = client.get(path)
        _say(json.dumps(twin, indent=2))
    return OK


def method_command(options: argparse.Namespace, state: State) -> int:
    """`localhub method ...`: exits with 0 when the module's own status is below 300."""
    body = {"name": options.name, "payload": _json(options.payload), "timeout_s": options.timeout}
    if options.local:
        client, path, body = _client(state, "hub", options.timeout), "/method", {"module": options.module, **body}
    else:
        client, path = _client(state, "cloud", options.timeout), f"/method/{_identity(options.module, state)}"
    answer = client.post(path, body)
    _print(options, answer, f"{answer['status']} {json.dumps(answer['payload'])}")
    return OK if answer["status"] < 300 else FAILED


COMMANDS: dict[str, Command] = {
    "apply": apply_command,
    "cloud": cloud_command,
    "twin": twin_command,
    "method": method_command,
}


def parse_patch(words: list[str]) -> Any:
    """A patch from JSON or from NAME.NAME=VALUE words; values are JSON where they can be, else text."""
    text = sys.stdin.read() if words == ["-"] else " ".join(words)
    if text.lstrip().startswith("{"):
        return _json(text)
    patch: dict[str, Any] = {}
    for word in words:
        names, equals, value = word.partition("=")
        if not equals or not all(names.split(".")):
            raise ControlError(400, f"{word!r} is neither a JSON object nor NAME.NAME=VALUE")
        *parents, name = names.split(".")
        inner = patch
        for parent in parents:
            inner = inner.setdefault(parent, {})
            if not isinstance(inner, dict):
                raise ControlError(400, f"{word!r}: {parent} was given a value before")
        inner[name] = _value(value)
    return patch


def arrival_text(arrival: dict[str, Any]) -> str:
    """An arrival for a person, on one line."""
    sender = arrival["device"] + (f"/{arrival['module']}" if arrival["module"] else "")
    properties = " ".join(f"{name}={value}" for name, value in arrival["properties"].items())
    body = json.dumps(arrival["body"]) if "body" in arrival else f"<{arrival['size']} bytes>"
    repeat = "(repeat) " if arrival["repeat"] else ""
    number, time_, message_id = arrival["number"], arrival["time"], arrival["message_id"] or "-"
    return f"{number}  {time_}  {sender}  {message_id}  {repeat}{properties}  {body}"


def _count(options: argparse.Namespace, state: State) -> int:
    try:
        counts = _client(state, "cloud").get("/count", **_of(state))
    except NotRunningError:
        counts = asdict(_left_behind(state).counts)
    text = "{arrivals} arrivals, {distinct} distinct ids, {repeats} repeats ({differing} not identical), {bytes} bytes"
    text = text if "distinct" in counts else "{arrivals} arrivals, {bytes} bytes"
    _print(options, counts, text.format(**counts))
    return OK


def _login(options: argparse.Namespace, state: State) -> int:
    from localhub.cloud.service.serving import login  # noqa: PLC0415  the other commands need none of it

    try:
        text = login(state)
    except FileNotFoundError:
        raise NotRunningError(start_hint(state.root)) from None
    if options.fleet:
        text += f";CaFile={state.ca_certificate}"
    _print(options, {"connectionString": text, "certificate": str(state.ca_certificate)}, text)
    return OK


def _tail(options: argparse.Namespace, state: State) -> int:
    for arrival in _arrivals(options, state):
        _say(json.dumps(arrival) if options.format == "json" else arrival_text(arrival), flush=options.follow)
    return OK


def _arrivals(options: argparse.Namespace, state: State) -> Iterator[dict[str, Any]]:
    client = _client(state, "cloud")
    query = {"after": -options.n, "raw": int(options.raw), **_of(state)}
    try:
        if options.follow:
            yield from client.stream("/tail", **query)
        else:
            yield from client.get("/arrivals", limit=options.n, **query)
    except NotRunningError:
        if options.follow:
            raise
        arrivals = _left_behind(state)
        yield from arrivals.after(-options.n, options.n, raw=options.raw)


def _left_behind(state: State) -> Arrivals:
    try:
        return Arrivals(open_to_read(state.cloud_db))
    except FileNotFoundError:
        raise NotRunningError(start_hint(state.root)) from None


def _client(state: State, process: str, timeout_s: float = 0.0) -> Client:
    path = state.cloud_socket if process == "cloud" else state.hub_socket
    return Client(path, hint=start_hint(state.root), timeout_s=timeout_s + GRACE_S)


def _identity(text: str, state: State) -> str:
    """`camera` is a module of the gateway; a device is `press4/`, a module of another gateway `gw2/camera`."""
    return text if "/" in text else f"{state.gateway}/{text}"


def _of(state: State) -> dict[str, str]:
    """Whose arrivals are meant: those of a gateway that was added, else everybody's."""
    return {} if state.cloud is None else {"gateway": state.gateway}


def _command(commands: Any, name: str, text: str, *parents: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text, parents=parents)
    return parser


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ControlError(400, f"{text!r} is not JSON: {error}") from error


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _print(options: argparse.Namespace, document: Any, text: str) -> None:
    _say(json.dumps(document, indent=2) if options.format == "json" else text)


def _say(text: str, *, flush: bool = False) -> None:
    print(text, flush=flush)  # noqa: T201  a command's output
