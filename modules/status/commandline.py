"""The command line: the line's state in a terminal, what support needs in one file, the API's document."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import orjson

from modules.status import bundle, top
from modules.status.client import Client, UnreachableError

EXIT_OK = 0
EXIT_STALE = 3
EXIT_UNREACHABLE = 4


def main(arguments: Sequence[str]) -> int:
    """Run one verb; its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (UnreachableError, OSError) as error:
        sys.stderr.write(f"{options.verb}: {error}\n")
        return EXIT_UNREACHABLE
    except KeyboardInterrupt:
        return EXIT_OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m modules.status", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument("--url", default=_default_url(), help="of the page (%(default)s)")
    where.add_argument("--token", type=Path, metavar="FILE", help="for reading, where it is on another machine")
    where.add_argument("--ca", type=Path, metavar="FILE", help="the gateway's authority, for https")
    shown = verbs.add_parser("top", parents=[where], help="the line's state in this terminal")
    shown.add_argument("--once", action="store_true", help="print it once, as is done where this is no terminal")
    shown.add_argument("--format", choices=("text", "json"), default="text", help="json: as GET /api/v1/summary, once")
    shown.set_defaults(run=_top)
    packed = verbs.add_parser("bundle", parents=[where], help="what support needs, without secrets, in one zip file")
    packed.add_argument("--out", type=Path, metavar="FILE", help="(millwatch-DATE.zip); - for standard output")
    packed.add_argument("--state", type=Path, default=Path(os.environ.get("MILLWATCH_STATE", "/data")), metavar="DIR")
    packed.add_argument(
        "--logs", type=Path, nargs="+", default=[], metavar="PATH", help="log files, or folders of them"
    )
    packed.set_defaults(run=_bundle)
    document = verbs.add_parser("openapi", help="the API's document, on standard output")
    document.add_argument("--check", type=Path, metavar="FILE", help="say whether FILE still is it, with status 3")
    document.set_defaults(run=_openapi)
    return parser


def _default_url() -> str:
    host = os.environ.get("MILLWATCH_STATUS_HOST", "127.0.0.1")
    host = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared, not bound
    scheme = "https" if os.environ.get("MILLWATCH_TLS", "").lower() == "true" else "http"
    return f"{scheme}://{host}:{os.environ.get('MILLWATCH_STATUS_PORT', '8080')}"


def _client(options: argparse.Namespace) -> Client:
    token = "" if options.token is None else options.token.read_text(encoding="ascii").strip()
    return Client(options.url, token=token, ca=options.ca)


def _top(options: argparse.Namespace) -> int:
    with _client(options) as client:
        if options.format == "json":
            sys.stdout.write(client.text("/api/v1/summary") + "\n")
            return EXIT_OK
        terminal = sys.stdout.isatty()
        top.watch(client, colours=terminal and "NO_COLOR" not in os.environ, once=options.once or not terminal)
    return EXIT_OK


def _bundle(options: argparse.Namespace) -> int:
    now = datetime.now(UTC)
    path = options.out or Path(f"millwatch-{now:%Y%m%d-%H%M%S}.zip")
    with _client(options) as client, tempfile.TemporaryDirectory(prefix="millwatch-") as folder:
        if os.fspath(path) == "-":  # out of a container whose root cannot be written
            packed = Path(folder) / "bundle.zip"
            missing = bundle.write(packed, client, options.state, options.logs, now)
            sys.stdout.buffer.write(packed.read_bytes())
        else:
            missing = bundle.write(path, client, options.state, options.logs, now)
            sys.stdout.write(f"{path}\n")
    for each in missing:
        sys.stderr.write(f"missing: {each}\n")
    return EXIT_OK


def _openapi(options: argparse.Namespace) -> int:
    from modules.status.api import make_app  # noqa: PLC0415 - the other verbs do without FastAPI

    text = orjson.dumps(make_app(None).openapi(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode() + "\n"
    if options.check is None:
        sys.stdout.write(text)
        return EXIT_OK
    if options.check.read_text(encoding="utf-8") == text:
        return EXIT_OK
    sys.stderr.write(
        f"{os.fspath(options.check)} is not what the code answers any more:"
        f" python -m modules.status openapi > {os.fspath(options.check)}\n"
    )
    return EXIT_STALE
