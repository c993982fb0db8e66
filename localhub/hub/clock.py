"""The hub's wall clock, which a fault on command can put wrong."""

import time
from collections.abc import Callable


class Clock:
    """Seconds since the epoch, `offset_s` seconds off the machine's; the event loop's own time stays right."""

    def __init__(self, right: Callable[[], float] = time.time) -> None:
        self._right = right
        self.offset_s = 0.0

    def __call__(self) -> float:
        """The time as the hub has it."""
        return self._right() + self.offset_s
