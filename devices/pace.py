"""Keeps a sender at true pace: what is due is sent when it is due, and no hurry makes up for a long pause."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

_BEHIND = 5.0  # seconds; what is older than this when its turn comes is left out


def spans(shortest: float, stopping: threading.Event) -> Iterator[tuple[float, float, float]]:
    """Yield (start, begin, end): each span of time when it is over, one following the other, until ``stopping`` is set.

    ``start`` in Unix seconds; ``begin`` and ``end`` in seconds after it, at least ``shortest`` apart. While the caller
    is busy the next span grows; what is more than 5 s behind is left out.
    """
    start, clock = datetime.now(UTC).timestamp(), time.monotonic()
    begin = 0.0
    while not stopping.wait(max(0.0, clock + begin + shortest - time.monotonic())):
        end = time.monotonic() - clock
        begin = max(begin, end - _BEHIND)
        yield start, begin, end
        begin = end
