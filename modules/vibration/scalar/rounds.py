"""Splits a batch into rounds in which no sensor occurs twice.

A round can be handled with plain fancy indexing: every sensor's state is read once and written once. Rounds keep the
order of each sensor's readings, so the result equals handling the readings one by one.
"""

from collections.abc import Iterator

import numpy as np

from modules.vibration.columns import IntArray

_PEELED = 3  # this many rounds are peeled off one by one; what is left then is sorted once


class Rounds:
    """Cuts batches into rounds; keeps one scratch array so that a batch allocates little."""

    def __init__(self) -> None:
        self._place: IntArray = np.empty(0, dtype=np.intp)

    def split(self, sensors: IntArray, size: int) -> Iterator[IntArray | None]:
        """Yield positions into `sensors` round by round; None stands for the whole batch in one round.

        `sensors`: intp[n], each below `size`.
        """
        if self._place.size < size:
            self._place = np.empty(size, dtype=np.intp)
        left: IntArray | None = None
        rest = sensors
        for _ in range(_PEELED):
            order = np.arange(rest.size)
            # Of repeated indices the last assignment stays: written backwards, that is the first occurrence.
            self._place[rest[::-1]] = order[::-1]
            first = self._place[rest] == order
            if first.all():
                yield left
                return
            taken = np.flatnonzero(first)
            yield taken if left is None else left[taken]
            others = np.flatnonzero(~first)
            left = others if left is None else left[others]
            rest = rest[others]
        if left is not None:
            yield from _sorted_rounds(rest, left)


def _sorted_rounds(sensors: IntArray, positions: IntArray) -> Iterator[IntArray]:
    """Yield `positions` round by round after one stable sort: the n-th reading of every sensor is in round n."""
    by_sensor = np.argsort(sensors, kind="stable")
    grouped = sensors[by_sensor]
    starts = np.flatnonzero(np.r_[True, grouped[1:] != grouped[:-1]])
    rank = np.arange(grouped.size) - np.repeat(starts, np.diff(np.r_[starts, grouped.size]))
    by_rank = np.argsort(rank, kind="stable")
    ends = np.cumsum(np.bincount(rank))
    ordered = positions[by_sensor[by_rank]]
    begin = 0
    for end in ends:
        yield ordered[begin:end]
        begin = int(end)
