"""Ten thousand sensors behind one concentrator, some of which fail in one of five ways. Pure: time and seed given."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

FaultKind = Literal["step", "drift", "stuck", "noisy", "spikes"]
FAULT_KINDS: tuple[FaultKind, ...] = get_args(FaultKind)

_DRIFT_S = 60.0  # a drift takes so long to reach the height of a step
_HEIGHT = 8.0  # deviations


@dataclass(frozen=True, slots=True)
class SeededFault:
    """One sensor fails in one way from ``begins`` on (seconds from the start)."""

    sensor: str
    kind: FaultKind
    begins: float


class Crowd:
    """``count`` sensors, each with a level and a noise of its own, Gaussian while healthy."""

    def __init__(self, count: int, seed: int, *, faults: int = 0, fault_after: float = 300.0) -> None:
        self._random = np.random.default_rng(seed)
        self.names = [f"hall/s{number:05d}" for number in range(count)]
        self._level = self._random.uniform(10, 100, count)
        self._noise = self._random.uniform(0.5, 2.0, count)
        self._sick = np.sort(self._random.choice(count, size=min(faults, count), replace=False))
        self.faults = [
            SeededFault(self.names[row], FAULT_KINDS[number % len(FAULT_KINDS)], fault_after + number)
            for number, row in enumerate(self._sick.tolist())
        ]

    def values(self, rows: NDArray[np.intp], elapsed: float) -> NDArray[np.float64]:
        """Return one reading of each of ``rows``, ``elapsed`` seconds from the start."""
        noise = self._random.standard_normal(rows.size)
        values = self._level[rows] + self._noise[rows] * noise
        for row, fault in zip(self._sick.tolist(), self.faults, strict=True):
            since = elapsed - fault.begins
            if since < 0:
                continue
            here = np.flatnonzero(rows == row)
            level, spread = self._level[row], self._noise[row]
            if fault.kind == "step":
                values[here] += _HEIGHT * spread
            elif fault.kind == "drift":
                values[here] += _HEIGHT * spread * min(since / _DRIFT_S, 2.0)
            elif fault.kind == "stuck":
                values[here] = level
            elif fault.kind == "noisy":
                values[here] = level + 6 * (values[here] - level)
            else:
                values[here] += np.where(self._random.random(here.size) < 0.7, 12 * spread, 0.0)
        return values

    def order(self, repeats: float) -> NDArray[np.intp]:
        """Return all rows in random order, with a share of ``repeats`` of them twice."""
        rows = np.arange(len(self.names))
        twice = self._random.choice(rows, size=int(repeats * rows.size), replace=False)
        mixed = np.concatenate([rows, twice])
        self._random.shuffle(mixed)
        return mixed
