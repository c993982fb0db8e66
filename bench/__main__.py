"""``python -m bench [NAME ...] [--quick] [--json FILE]``: measure, print the table, say what fell below its floor."""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
from pathlib import Path

import bench
from bench.claim import Claim

NOT_BENCHES = {"__main__", "claim"}


def names() -> list[str]:
    """Every benchmark there is: one file of this package each; helpers begin with an underscore."""
    found = (module.name for module in pkgutil.iter_modules(bench.__path__))
    return sorted(name for name in found if name not in NOT_BENCHES and not name.startswith("_"))


def measure(name: str, *, quick: bool) -> dict[str, Claim]:
    """The claims of one benchmark, by key."""
    claims: dict[str, Claim] = importlib.import_module(f"bench.{name}").run(quick=quick)
    return claims


def row(name: str, key: str, claim: Claim) -> str:
    """One line of the table."""
    figure = f"{claim.value:,.4g}" if claim.value < 1000 else f"{claim.value:,.0f}"
    bounds = f"floor {claim.floor:,g}  aim {claim.aim:,g}"
    return f"{name + ':' + key:32} {figure:>12} {claim.unit:12} {bounds:34} {claim.verdict:6} {claim.peer}"


def main(argv: list[str]) -> int:
    """Run what was asked for; 1 where a figure lies below its floor."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(names())} (default: all)")
    parser.add_argument("--quick", action="store_true", help="shorter runs, coarser figures")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the claims as JSON")
    asked = parser.parse_args(argv)
    unknown = sorted(set(asked.names) - set(names()))
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are: {', '.join(names())}")
    documents = []
    below = False
    for name in asked.names or names():
        claims = measure(name, quick=asked.quick)
        for key, claim in claims.items():
            print(row(name, key, claim), flush=True)
            below |= claim.verdict == "below"
        documents.append({"name": name, "claims": {key: claim.document() for key, claim in claims.items()}})
    if asked.json:
        answer = documents[0] if len(documents) == 1 else documents
        asked.json.write_text(json.dumps(answer, indent=2) + "\n", encoding="utf-8")
    return int(below)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
