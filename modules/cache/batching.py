"""Which of the records that wait are sent as one message (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modules.common.messages import METERED

MOST_MEMBERS = 256


@dataclass(frozen=True, slots=True)
class Batching:
    """Up to `most_bytes` (a batch's body, not compressed); one that is not full goes when its first waited `wait_s`."""

    most_bytes: int
    wait_s: float
    gzip: bool


def divide(sizes: Sequence[int], most_bytes: int) -> tuple[list[int], int]:
    """Numbers of members of the batches that are full, and how many records behind them make up none yet.

    What alone costs more than one unit goes alone: company would save it nothing worth waiting for.
    """
    full: list[int] = []
    n = total = 0
    for size in sizes:
        alone = size > METERED
        if n and (alone or n == MOST_MEMBERS or total + size > most_bytes):
            full.append(n)
            n = total = 0
        if alone:
            full.append(1)
        else:
            n, total = n + 1, total + size
    return full, n
