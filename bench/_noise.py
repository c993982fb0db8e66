"""What the machine itself adds to a latency.

How much longer a sleep of a millisecond lasts than it should, and the share of its time that its host gave to others.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

SLEEP_S = 0.001


class Noise:
    """Overshoots of sleeps, in ms, while `beside` runs."""

    def __init__(self) -> None:
        self.overshoots: list[float] = []
        self._before = _ticks()
        self._over = threading.Event()

    @property
    def stolen(self) -> float:
        """Share of the processors' time since the beginning that other machines on this one's host had, 0 to 1."""
        stolen, total = (after - before for after, before in zip(_ticks(), self._before, strict=True))
        return stolen / max(total, 1)

    def __str__(self) -> str:
        return f"a sleep beside it overshot by {np.percentile(self.overshoots, 99):.1f} ms at p99"

    def listen(self) -> None:
        """Sleep and note until `end`."""
        while not self._over.is_set():
            began = time.perf_counter()
            time.sleep(SLEEP_S)
            self.overshoots.append((time.perf_counter() - began - SLEEP_S) * 1000)

    def end(self) -> None:
        """Enough."""
        self._over.set()


@contextlib.contextmanager
def beside() -> Iterator[Noise]:
    """Listen to the machine while the block runs; the block itself only waits, or it would be heard too."""
    noise = Noise()
    thread = threading.Thread(target=noise.listen, name="noise")
    thread.start()
    try:
        yield noise
    finally:
        noise.end()
        thread.join()


def _ticks() -> tuple[int, int]:
    """Stolen and all ticks since boot; none where the system does not say."""
    try:
        fields = [int(each) for each in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]]
    except OSError:
        return 0, 0
    return fields[7], sum(fields)
