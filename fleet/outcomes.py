"""What became of many, printed, and as an exit code."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from fleet.each import Outcome
from fleet.exits import Exit


def finish(arguments: argparse.Namespace, outcomes: Sequence[Outcome]) -> int:
    """Print who is done and who is not; Exit.SOME when anybody is not."""
    failed = [one for one in outcomes if one.failure or one.skipped]
    if arguments.format == "json":
        print(json.dumps([one.document() for one in outcomes], indent=2))
    else:
        print(f"{len(outcomes) - len(failed)} of {len(outcomes)} done")
    for one in failed:
        print(f"fleet: {one.device}: {one.failure or 'not begun: too many had failed'}", file=sys.stderr)
    return Exit.SOME if failed else Exit.OK
