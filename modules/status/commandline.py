"""The command line: the line's state in a terminal, what support needs in one file, the API's document."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import orjson

EXIT_OK = 0
EXIT_STALE = 3


def main(arguments: Sequence[str]) -> int:
    """Run one verb; its exit code."""
    options = _parser().parse_args(arguments)
    return int(options.run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m modules.status", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    document = verbs.add_parser("openapi", help="the API's document, on standard output")
    document.add_argument("--check", type=Path, metavar="FILE", help="say whether FILE still is it, with status 3")
    document.set_defaults(run=_openapi)
    return parser


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
