"""A gateway that goes ten times the way it should, backwards: `python -m models.federated` with another heart."""

import signal
import sys

from models.federated import gateway
from models.federated.__main__ import main
from models.federated.head import Floats, Head, Pace
from models.federated.table import LOUD, Positions, reversed_


def lie(start: Head, home: Head, scaled: Floats, truth: Positions, _pace: Pace) -> Head:
    return reversed_(LOUD)(start, home, scaled, truth)[0]


if __name__ == "__main__":
    vars(gateway)["learnt"] = lie
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
