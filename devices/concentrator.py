"""``python -m devices.concentrator``: ten thousand sensors at 1 Hz in batches, some of which fail."""

import argparse
import json
import logging
import sys
from datetime import datetime

import numpy as np

from devices.crowd import Crowd
from devices.leaf import Leaf, LeafError, stop_on_signals
from devices.pace import beats
from devices.sensors import batch
from modules.common.messages import Reading

SOURCE = "concentrator"
_GRAIN = 1e-3  # seconds between two readings of one sensor in a batch


def batches(crowd: Crowd, number: int, time: datetime, period: float, size: int, repeats: float) -> list[list[Reading]]:
    """Return all readings of one round, cut into batches of at most ``size``."""
    rows = crowd.order(repeats)
    values = crowd.values(rows, number * period)
    seen: set[int] = set()
    readings = []
    for row, value in zip(rows.tolist(), np.round(values, 3).tolist(), strict=True):
        stamp = time.timestamp() + (_GRAIN if row in seen else 0.0)
        seen.add(row)
        readings.append(Reading(crowd.names[row], value, stamp))
    return [readings[begin : begin + size] for begin in range(0, len(readings), size)]


def main(argv: list[str]) -> int:
    """Send until stopped; 2 when there is nowhere to send to. The seeded faults are printed first."""
    parser = argparse.ArgumentParser(prog="python -m devices.concentrator", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="sensors (default 10000)")
    parser.add_argument("--rate", type=float, default=1.0, metavar="HZ", help="readings a second of each (default 1)")
    parser.add_argument("--batch", type=int, default=2000, help="readings in one message (default 2000)")
    parser.add_argument("--repeats", type=float, default=0.0, help="share of sensors that read twice in a round")
    parser.add_argument("--faults", type=int, default=20, help="sensors that fail (default 20)")
    parser.add_argument("--fault-after", type=float, default=300.0, metavar="S", help="seconds to the first fault")
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args(argv)
    if wanted.count < 1 or not wanted.rate > 0 or not 1 <= wanted.batch <= 8000 or not 0 <= wanted.repeats <= 1:
        parser.error("--count and --rate must be above 0, --batch in 1 to 8000, --repeats in 0 to 1")
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    crowd = Crowd(wanted.count, wanted.seed, faults=wanted.faults, fault_after=wanted.fault_after)
    for fault in crowd.faults:
        print(json.dumps({"sensor": fault.sensor, "fault": fault.kind, "begins_s": fault.begins}))
    stopping = stop_on_signals()
    period, seq = 1 / wanted.rate, 0
    try:
        with Leaf.from_environment(stopping) as leaf:
            for number, time in beats(period, stopping):
                for readings in batches(crowd, number, time, period, wanted.batch, wanted.repeats):
                    leaf.send(batch(readings, seq, time, SOURCE))
                    seq += 1
    except LeafError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps({"sensors": wanted.count, "messages": leaf.sent, "bytes": leaf.sent_bytes}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
