"""``python -m devices.concentrator``: ten thousand sensors at 1 Hz behind one box, some of which fail.

It does as such boxes do: every sensor is read at a moment of its own within each period and its reading carries that
moment; what has been read is sent as a batch every ``--flush`` milliseconds, in several messages when there is more
than one holds. While edgeHub takes a batch in, the next one grows.
"""

import argparse
import json
import logging
import sys
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from devices.crowd import Crowd
from devices.leaf import Leaf, LeafError, stop_on_signals
from devices.pace import spans
from devices.plant import batch
from modules.common.messages import Reading

SOURCE = "concentrator"


def readings(crowd: Crowd, rows: NDArray[np.intp], moments: NDArray[np.float64], began: float) -> list[Reading]:
    """Return what ``rows`` say at ``moments`` (seconds after ``began``, Unix seconds); the silent are left out."""
    values = crowd.values(rows, moments)
    heard = ~np.isnan(values)
    return [
        Reading(crowd.names[row], value, time)
        for row, value, time in zip(
            rows[heard].tolist(), np.round(values[heard], 3).tolist(), (began + moments[heard]).tolist(), strict=True
        )
    ]


def main(argv: list[str]) -> int:
    """Send until stopped; 2 when there is nowhere to send to. The seeded faults are printed first."""
    parser = argparse.ArgumentParser(prog="python -m devices.concentrator", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="sensors (default 10000)")
    parser.add_argument("--rate", type=float, default=1.0, metavar="HZ", help="readings a second of each (default 1)")
    parser.add_argument("--batch", type=int, default=2000, help="most readings in one message (default 2000)")
    parser.add_argument("--flush", type=float, default=200.0, metavar="MS", help="a batch leaves after (default 200)")
    parser.add_argument("--format", choices=("senml", "packed"), default="senml", help="of the batches (default senml)")
    parser.add_argument("--repeats", type=float, default=0.0, help="share of sensors that are read twice in a period")
    parser.add_argument("--faults", type=int, default=20, help="sensors that fail (default 20)")
    parser.add_argument("--fault-after", type=float, default=300.0, metavar="S", help="seconds to the first fault")
    parser.add_argument("--fault-every", type=float, default=1.0, metavar="S", help="seconds to the next (default 1)")
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args(argv)
    if wanted.count < 1 or not wanted.rate > 0 or not 1 <= wanted.batch <= 6000 or not 0 <= wanted.repeats <= 1:
        parser.error("--count and --rate must be above 0, --batch in 1 to 6000, --repeats in 0 to 1")
    if not 0 < wanted.flush <= 5000:
        parser.error("--flush must be above 0 and at most 5000")
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    crowd = Crowd(
        wanted.count,
        wanted.seed,
        faults=wanted.faults,
        fault_after=wanted.fault_after,
        fault_every=wanted.fault_every,
        repeats=wanted.repeats,
    )
    for fault in crowd.faults:
        print(json.dumps({"sensor": fault.sensor, "fault": fault.kind, "begins_s": fault.begins}))
    stopping = stop_on_signals()
    seq = 0
    try:
        with Leaf.from_environment(stopping) as leaf:
            for began, begin, end in spans(wanted.flush / 1000, stopping):
                rows, moments = crowd.taken(begin, end, 1 / wanted.rate)
                for part in range(0, rows.size, wanted.batch):
                    here = slice(part, part + wanted.batch)
                    found = readings(crowd, rows[here], moments[here], began)
                    if found:
                        taken = datetime.fromtimestamp(found[0].time, UTC)
                        leaf.send(batch(found, seq, taken, SOURCE, pack=wanted.format == "packed"))
                        seq += 1
    except LeafError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps({"sensors": wanted.count, "messages": leaf.sent, "bytes": leaf.sent_bytes}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
