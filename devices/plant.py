"""``python -m devices.plant``: twenty slow sensors of a small plant, one of which develops a fault.

The first thing a newcomer sees: a few seconds after the start one machine's vibration climbs to a critical level. All
readings of one tick go in one SenML message, stamped with the moment they were taken.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from datetime import UTC, datetime

from devices.leaf import Leaf, LeafError, stop_on_signals
from devices.machines import Fault, Plant
from modules.common.messages import PACKED, SENML, Message, Reading, new_id, packed, senml


def batch(readings: list[Reading], seq: int, taken: datetime, source: str, *, pack: bool = False) -> Message:
    """One message of these readings, SenML or packed."""
    return Message(
        body=packed.encode(readings) if pack else senml.encode(readings),
        kind="readings",
        source=source,
        seq=seq,
        time=taken,
        message_id=new_id(),
        content_type=PACKED if pack else SENML,
    )


def main(argv: list[str]) -> int:
    """Send until stopped."""
    parser = argparse.ArgumentParser(prog="python -m devices.plant", description=__doc__)
    parser.add_argument("--machines", type=int, default=5, help="machines of four sensors each (default 5)")
    parser.add_argument("--rate", type=float, default=10.0, metavar="HZ", help="readings a second of each sensor")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same values")
    parser.add_argument("--fault", type=int, default=3, metavar="MACHINE", help="the machine that fails; 0 for none")
    parser.add_argument("--onset", type=float, default=2.0, metavar="S", help="seconds until the fault begins")
    parser.add_argument("--seconds", type=float, metavar="S", help="stop after so long")
    wanted = parser.parse_args(argv)
    if wanted.machines < 1 or not wanted.rate > 0:
        parser.error("--machines and --rate must be above 0")
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    fault = Fault(wanted.fault, onset_s=wanted.onset) if wanted.fault else None
    plant = Plant(machines=wanted.machines, seed=wanted.seed, fault=fault)
    stopping = stop_on_signals()
    try:
        with Leaf.from_environment(stopping) as leaf:
            began, start, tick = time.time(), time.monotonic(), 0
            while wanted.seconds is None or tick / wanted.rate < wanted.seconds:
                if stopping.wait(max(0.0, start + tick / wanted.rate - time.monotonic())):
                    break
                readings = plant.readings([tick / wanted.rate], began)
                tick += 1
                leaf.send(batch(readings, tick, datetime.fromtimestamp(readings[0].time, UTC), "plant"))
    except LeafError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
