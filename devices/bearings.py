"""``python -m devices.bearings``: two motors' bearings at 12 kHz, one of which develops a defect of its outer race."""

from __future__ import annotations

import argparse
import logging
import sys
import threading
import time
from datetime import UTC, datetime

import numpy as np

from devices.leaf import Leaf, LeafError, stop_on_signals
from devices.rolling_bearing import Bearing, Machine
from modules.common.messages import Waveform

BLOCK = 4096


def play(
    leaf: Leaf, bearings: dict[str, Bearing], machine: Machine, asked: argparse.Namespace, stopping: threading.Event
) -> None:
    """Send one block of each sensor as soon as its last sample is due, until stopped."""
    began, start, seq = time.time(), time.monotonic(), 0
    length = BLOCK / asked.rate
    while asked.seconds is None or seq * length < asked.seconds:
        seq += 1
        if stopping.wait(max(0.0, start + seq * length - time.monotonic())):
            return
        grown = float(np.clip((seq * length - asked.onset) / asked.growth, 0, 1))
        for name, bearing in bearings.items():
            block = Waveform(
                samples=bearing.block(BLOCK, severity=asked.severity * grown).astype("<f4").tobytes(),
                rate_hz=asked.rate,
                unit="m/s2",
                time=datetime.fromtimestamp(began + (seq - 1) * length, UTC),
                source=name,
                seq=seq,
                rpm=machine.rpm,
            )
            leaf.send(block.message())


def main(argv: list[str]) -> int:
    """Send until stopped."""
    parser = argparse.ArgumentParser(prog="python -m devices.bearings", description=__doc__)
    parser.add_argument("--defect", choices=["outer", "inner", "ball"], default="outer", help="what motor2 develops")
    parser.add_argument("--onset", type=float, default=6.0, metavar="S", help="seconds until the defect begins")
    parser.add_argument("--growth", type=float, default=10.0, metavar="S", help="seconds until it is full-grown")
    parser.add_argument("--severity", type=float, default=12.0, help="strength of a strike at the end, m/s2")
    parser.add_argument("--rpm", type=float, default=1772.0, help="shaft speed")
    parser.add_argument("--rate", type=float, default=12_000.0, metavar="HZ", help="sampling rate")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same signals")
    parser.add_argument("--seconds", type=float, metavar="S", help="stop after so long")
    asked = parser.parse_args(argv)
    if not (asked.rpm > 0 and asked.rate > 0 and asked.growth > 0):
        parser.error("--rpm, --rate and --growth must be above 0")
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    machine = Machine(rpm=asked.rpm)
    bearings = {
        "motor1/drive-end": Bearing(machine, rate_hz=asked.rate, seed=asked.seed),
        "motor2/drive-end": Bearing(machine, rate_hz=asked.rate, defect=asked.defect, seed=asked.seed + 1),
    }
    stopping = stop_on_signals()
    try:
        with Leaf.from_environment(stopping) as leaf:
            play(leaf, bearings, machine, asked, stopping)
    except LeafError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
