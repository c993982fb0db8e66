"""``python -m devices.verdicts DB``: which machines are faulty, by the cloud's database alone.

DB is the file that localhub's cloud keeps its arrivals in (STATE/cloud/cloud.db). Only the summaries of waveforms that
the gateways sent up are read: no recording, no label, and no model's word.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from devices.verdicts.judge import document, judge, table
from devices.verdicts.summaries import NoSummariesError, read


def main(argv: list[str]) -> int:
    """0 when everything is sound, 1 when something is faulty, 2 when the file tells nothing."""
    parser = argparse.ArgumentParser(prog="python -m devices.verdicts", description=__doc__)
    parser.add_argument("database", type=Path, metavar="DB", help="the cloud's file of arrivals")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="draw them there (needs matplotlib)")
    asked = parser.parse_args(argv)
    try:
        verdicts = judge(read(asked.database))
    except NoSummariesError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(document(verdicts), indent=2) if asked.json else table(verdicts))
    if asked.plots is not None:
        from devices.verdicts.plots import draw  # noqa: PLC0415 - a package for development only

        for path in draw(verdicts, asked.plots):
            print(path, file=sys.stderr)
    return int(any(each.faulty for each in verdicts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
