"""Puts readings of several messages in order of time, waiting a little for those still on their way."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from modules.vibration.scalar.readings import Readings


class Merge:
    """Holds readings until they are `lateness` seconds old and hands them out in order of time.

    Whatever the order in which readings arrive, as long as none arrives more than `lateness` late, what comes out is
    what would have come out had they arrived in order. Of equal times the order of arrival stays.
    """

    def __init__(self) -> None:
        self._held: Readings | None = None

    def __len__(self) -> int:
        return 0 if self._held is None else int(self._held.rows.size)

    def take(self, readings: Readings | None, until: float) -> Readings | None:
        """Add `readings` and return what is dated `until` (Unix seconds) or before, oldest first; None for nothing."""
        if readings is not None and isinstance(readings.lost, int) and readings.lost:
            lost = np.zeros(readings.rows.size, dtype=np.intp)
            lost[np.unique(readings.rows, return_index=True)[1]] = readings.lost  # a gap counts once for each sensor
            readings = replace(readings, lost=lost)
        if self._held is not None:
            readings = self._held if readings is None else _joined(self._held, readings)
        self._held = None
        if readings is None:
            return None
        readings = in_order(readings)
        due = int(np.searchsorted(readings.times, until, side="right"))
        if due < readings.rows.size:
            self._held = readings.at(np.arange(due, readings.rows.size))
        return readings.at(np.arange(due)) if due else None

    def saved(self) -> dict[str, NDArray[np.generic]]:
        """Return what is held as named arrays."""
        if self._held is None:
            return {}
        held = self._held
        size = held.rows.size
        columns = {"rows": held.rows, "values": held.values, "times": held.times}
        return columns | {
            "seq": np.broadcast_to(held.seq, size).copy(),
            "lost": np.broadcast_to(held.lost, size).copy(),
        }

    def restore(self, columns: dict[str, NDArray[np.generic]], sensors: int) -> None:
        """Hold again what `saved` returned. Raises ValueError for columns that do not fit or rows beyond `sensors`."""
        if not columns:
            return
        rows, seq, lost = (np.asarray(columns[name], dtype=np.intp) for name in ("rows", "seq", "lost"))
        values, times = (np.asarray(columns[name], dtype=np.float64) for name in ("values", "times"))
        if len({column.shape for column in (rows, values, times, seq, lost)}) != 1 or rows.max(initial=0) >= sensors:
            raise ValueError("saved readings do not fit the saved sensors")
        self._held = Readings(rows, values, times, seq, lost)


def in_order(readings: Readings) -> Readings:
    """Return readings in order of time; of equal times the order stays."""
    if (readings.times[1:] >= readings.times[:-1]).all():
        return readings
    return readings.at(np.argsort(readings.times, kind="stable"))


def _joined(one: Readings, other: Readings) -> Readings:
    return Readings(
        np.concatenate([one.rows, other.rows]),
        np.concatenate([one.values, other.values]),
        np.concatenate([one.times, other.times]),
        np.concatenate([np.broadcast_to(each.seq, each.rows.size) for each in (one, other)]),
        np.concatenate([np.broadcast_to(each.lost, each.rows.size) for each in (one, other)]),
    )
