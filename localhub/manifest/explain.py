"""`python -m localhub explain MANIFEST MESSAGE`: which routes take a message, which do not, and by which term.

MESSAGE is a JSON file (or - for standard input):

    {"module": "vibration", "output": "alerts",        the sender; a leaf device has "device" alone
     "properties": {"kind": "alert"},                  application properties
     "system": {"contentType": "application/json", "contentEncoding": "utf-8"},
     "body": {"rms": 4.2}}                             JSON, or "body_text": "...", or "body_b64": "..."

`"twinChange": true` stands for the event of a reported patch. A line of `localhub watch --format json` is such a file
too. Exit codes: 0 a route takes it, 1 none does, 2 a file
cannot be read or the manifest's routes cannot be used.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from localhub.manifest.deployment import load_deployment
from localhub.manifest.problem import ManifestError
from localhub.routes import RouteTable, RoutingMessage, Sender, Term, Verdict

TAKEN: Final = 0
DROPPED: Final = 1
UNREADABLE: Final = 2
DEVICE: Final = "gw1"
"""Who sends when the message does not say: the gateway as `localhub run` calls it."""

_KNOWN: Final = frozenset(
    {"device", "module", "output", "twinChange", "properties", "system", "body", "body_text", "body_b64"}
)
_WATCHED: Final = frozenset({"source", "time"})  # what a watched message has in place of device and module


class MessageError(ValueError):
    """The message file does not say a message; the text says what to write."""


def explain_main(argv: Sequence[str]) -> int:
    """The command; prints a verdict for each route and returns the exit code."""
    options = _parser().parse_args(argv)
    try:
        text = sys.stdin.read() if str(options.message) == "-" else options.message.read_text("utf-8")
        message = message_of(json.loads(text))
        deployment = load_deployment(options.manifest, options.layer)
    except OSError as error:
        return _refuse(f"{error.filename}: {error.strerror}")
    except (MessageError, ManifestError) as error:
        return _refuse(str(error))
    except json.JSONDecodeError as error:
        return _refuse(f"{options.message}:{error.lineno}:{error.colno}: no JSON: {error.msg}")
    table = RouteTable.compile(deployment.routes, device=message.source.device or DEVICE)
    verdicts = table.explain(message)
    taken = {target.route: target.endpoint for target in table.match(message)}
    if options.format == "json":
        document = {"endpoints": taken, "routes": [_json(verdict, verdict.name in taken) for verdict in verdicts]}
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    else:
        sys.stdout.write("".join(_text(verdict, taken) for verdict in verdicts))
        sys.stdout.write("" if taken else "no route takes the message: it is dropped and counted (no_route)\n")
    return TAKEN if taken else DROPPED


def message_of(document: Any) -> RoutingMessage:
    """A message out of its JSON form; raises MessageError."""
    if not isinstance(document, dict):
        raise MessageError('a message is a JSON object, as {"module": "m", "output": "o", "properties": {}}')
    if "source" in document and not {"device", "module"} & set(document):
        device, _, module = str(document["source"]).partition("/")
        document = {**document, "device": device, "module": module or None}
    if unknown := sorted(set(document) - _KNOWN - _WATCHED):
        raise MessageError(f"a message has no {unknown[0]!r}; it may have {', '.join(sorted(_KNOWN))}")
    source = Sender(
        device=str(document.get("device", "")),
        module=document.get("module"),
        output=document.get("output"),
        twin_change=bool(document.get("twinChange", False)),
    )
    system = _strings(document, "system")
    origin = {
        "connectionDeviceId": source.device or DEVICE,
        "connectionModuleId": source.module,
        "outputName": source.output,
    }
    for name, value in origin.items():
        if value is not None and name not in system:
            system[name] = value
    return RoutingMessage(
        properties=_strings(document, "properties"), system=system, body=_body(document), source=source
    )


def _strings(document: Mapping[str, Any], name: str) -> dict[str, str | None]:
    values = document.get(name, {})
    if not isinstance(values, dict):
        raise MessageError(f"{name} must be an object of texts")
    return {
        key: value if value is None or isinstance(value, str) else json.dumps(value) for key, value in values.items()
    }


def _body(document: Mapping[str, Any]) -> bytes:
    if "body_b64" in document:
        try:
            return base64.b64decode(document["body_b64"], validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise MessageError(f"body_b64 is no base64: {error}") from error
    if "body_text" in document:
        return str(document["body_text"]).encode()
    return json.dumps(document["body"]).encode() if "body" in document else b""


def _text(verdict: Verdict, taken: Mapping[str, str]) -> str:
    if verdict.name in taken:
        head = f"{verdict.name}: takes it to {taken[verdict.name]}, {_terms(verdict)}"
    elif not verdict.source_matches:
        head = f"{verdict.name}: not from its source"
    elif verdict.value:
        head = f"{verdict.name}: matches, but a route of higher priority leads to {verdict.target.endpoint} too"
    else:
        head = f"{verdict.name}: its condition is {'undefined' if verdict.value is None else 'false'}"
    lines = [head]
    if verdict.term is not None and verdict.term.text != "true":
        lines += [f"    {line}" for line in verdict.term.lines()]
    return "\n".join(lines) + "\n"


def _terms(verdict: Verdict) -> str:
    ttl = verdict.target.ttl_s
    return f"priority {verdict.target.priority}, " + (f"TTL {ttl} s" if ttl >= 0 else "no TTL")


def _json(verdict: Verdict, taken: bool) -> dict[str, Any]:  # noqa: FBT001 - a fact, not a switch
    return {
        "route": verdict.name,
        "taken": taken,
        "source_matches": verdict.source_matches,
        "value": verdict.value,
        "endpoint": verdict.target.endpoint,
        "priority": verdict.target.priority,
        "ttl_s": verdict.target.ttl_s,
        "term": None if verdict.term is None else _term(verdict.term),
    }


def _term(term: Term) -> dict[str, Any]:
    return {
        "text": term.text,
        "value": term.value,
        "why": term.why,
        "decisive": term.decisive,
        "parts": [_term(part) for part in term.parts],
    }


def _refuse(text: str) -> int:
    sys.stderr.write(f"localhub explain: {text}\n")
    return UNREADABLE


def _parser() -> argparse.ArgumentParser:
    summary, _, rest = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="localhub explain",
        description=summary,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("manifest", type=Path, help="deployment.template.json or a deployment manifest")
    parser.add_argument("message", type=Path, help="the message as JSON; - for standard input")
    parser.add_argument("--layer", type=Path, action="append", default=[], help="a layered deployment, lowest first")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to print")
    return parser
