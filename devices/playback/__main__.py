"""``python -m devices.playback DATA [--once] [--report FILE]``: the whole line on real recordings and pictures.

Recordings play side by side at their true pace, pictures of each set pass a camera of their own. With ``--once`` it
ends when everything has been judged and has arrived, and prints what was said against what is known.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from pathlib import Path

from devices.line import LineError
from devices.playback.run import Playback


def main(argv: list[str]) -> int:
    """0 when all ids arrived; 1 when some are missing or the line failed; 2 when there is nothing to play."""
    parser = argparse.ArgumentParser(prog="python -m devices.playback", description=__doc__)
    parser.add_argument("data", type=Path, help="recordings (.npz, .mat, .wav, .csv) and pictures in class folders")
    parser.add_argument("--once", action="store_true", help="play once, print the table, stop")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the figures as JSON (with --once)")
    parser.add_argument("--pictures", type=int, default=400, help="at most so many pictures (default 400)")
    parser.add_argument("--state", type=Path, default=Path(".state-playback"), help="made anew at each playback")
    parser.add_argument("--address", default="127.0.0.1", help="the 127.x address of the hub")
    parser.add_argument("--port", type=int, default=8080, help="port of the status page (default 8080)")
    asked = parser.parse_args(argv)
    try:
        # Earlier arrivals would be counted as this run's.
        if asked.state.exists():
            shutil.rmtree(asked.state)
        playback = Playback(
            asked.data,
            asked.state,
            address=asked.address,
            page_port=asked.port,
            once=asked.once,
            pictures=asked.pictures,
        )
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        return once(playback, asked.report) if asked.once else for_ever(playback)
    except LineError as error:
        print(error, file=sys.stderr)
        return 1


def once(playback: Playback, report: Path | None) -> int:
    """Play to the end and tell."""
    began = time.monotonic()
    with playback.line:
        playback.begin()
        playback.wait_played()
        sent, arrivals = playback.wait_arrived()
        figures = playback.figures(sent, arrivals, time.monotonic() - began)
    print(figures.table(), flush=True)
    if report is not None:
        report.write_text(json.dumps(figures.document(), indent=2) + "\n", encoding="utf-8")
    return int(figures.passage.missing > 0)


def for_ever(playback: Playback) -> int:
    """Play again and again until Ctrl-C."""
    playback.line.start()
    try:
        playback.begin()
        playback.line.wait("Ctrl-C", lambda: False, timeout_s=float("inf"), every_s=1.0)
    except KeyboardInterrupt:
        return playback.line.stop()
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
