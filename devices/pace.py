"""Keeps a sender at true pace: each piece when its last sample is due, and no hurry to make up for a pause."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

_BEHIND = 5.0  # seconds behind after which what was missed is skipped: a machine does not run faster after a pause


def beats(period: float, stopping: threading.Event) -> Iterator[tuple[int, datetime]]:
    """Yield (number, time at which piece ``number`` began) at the end of each period, until ``stopping`` is set.

    ``period``: seconds a piece covers. Numbers that would be late by more than 5 s are left out.
    """
    began, clock = datetime.now(UTC).timestamp(), time.monotonic()
    number = 0
    while not stopping.wait(max(0.0, clock + (number + 1) * period - time.monotonic())):
        yield number, datetime.fromtimestamp(began + number * period, UTC)
        number += 1
        late = time.monotonic() - clock - (number + 1) * period
        if late > _BEHIND:
            number += int(late / period)
