"""`python -m localhub lint MANIFEST`: asks of a manifest what no other tool asks, and what all of them do.

Exit codes: 0 nothing but warnings, 1 at least one error, 2 a file cannot be read.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from localhub.manifest.environment import Environment
from localhub.manifest.manifest import read_manifest
from localhub.manifest.problem import ManifestError, Problem, Severity
from localhub.manifest.rules import findings
from localhub.manifest.rules.catalogue import RULES, table

CLEAN: Final = 0
ERRORS: Final = 1
UNREADABLE: Final = 2

_EPILOG: Final = """exit codes:
  0  no errors (warnings alone do not count)
  1  at least one error
  2  a file cannot be read"""


def lint(
    path: Path, layers: Sequence[Path] = (), *, variables: Mapping[str, str], platform: str | None = None
) -> list[Problem]:
    """Every finding about a manifest and its layers, in the order of the files' lines; raises OSError."""
    environment = Environment.of(path.parent, variables, platform)
    try:
        manifest = read_manifest(path, layers, environment)
    except ManifestError as unreadable:
        return list(unreadable.problems)
    return sorted(set(findings(manifest)), key=lambda problem: (problem.place, problem.rule, problem.message))


def lint_main(argv: Sequence[str]) -> int:
    """The command; prints findings and returns the exit code."""
    options = _parser().parse_args(argv)
    if options.rules:
        rules = {name: rule._asdict() for name, rule in RULES.items()}
        sys.stdout.write(json.dumps(rules, indent=2) + "\n" if options.format == "json" else table())
        return CLEAN
    if options.manifest is None:
        _parser().error("name a manifest")
    try:
        found = lint(options.manifest, options.layer, variables=os.environ, platform=options.platform)
    except OSError as error:
        sys.stderr.write(f"localhub lint: {error.filename}: {error.strerror}\n")
        return UNREADABLE
    if options.format == "json":
        sys.stdout.write(json.dumps([problem.to_json() for problem in found], indent=2) + "\n")
    else:
        sys.stdout.write("".join(f"{problem}\n" for problem in found))
        sys.stdout.write(_summary(options.manifest, found))
    return ERRORS if any(problem.severity is Severity.ERROR for problem in found) else CLEAN


def _summary(path: Path, found: Sequence[Problem]) -> str:
    errors = sum(problem.severity is Severity.ERROR for problem in found)
    return f"{path}: {_count(errors, 'error')}, {_count(len(found) - errors, 'warning')}\n"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="localhub lint",
        description="Check a deployment manifest or template: routes, modules, createOptions, placeholders, twins.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("manifest", type=Path, nargs="?", help="deployment.template.json or a deployment manifest")
    parser.add_argument("--layer", type=Path, action="append", default=[], help="a layered deployment, lowest first")
    parser.add_argument("--platform", help="what ${MODULES.name} means (default: DEFAULT_PLATFORM, else amd64)")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to print")
    parser.add_argument("--rules", action="store_true", help="print every rule, what it says and why, and stop")
    return parser
