"""Ten thousand sensors behind one concentrator, some of which fail in one of eight ways. Pure: time and seed given.

Every sensor has a level and a noise of its own and is Gaussian while healthy. It takes its readings at moments of its
own, one in each period, so that the readings of a plant are spread over the period as they are in a real one.
"""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

FaultKind = Literal["step", "drift", "stuck", "noisy", "spikes", "missing", "clipping", "bias"]
FAULT_KINDS: tuple[FaultKind, ...] = get_args(FaultKind)

_DRIFT_S = 60.0  # a drift takes so long to reach the height of a step
_HEIGHT = 8.0  # deviations
_SPIKES = 0.7  # share of the readings that are spikes
_REACH = 2.0  # deviations to either side that a clipping sensor still shows
_AGAIN = 0.01  # of a period between the two readings of a sensor that is read twice


@dataclass(frozen=True, slots=True)
class SeededFault:
    """One sensor fails in one way from ``begins`` on (seconds from the start).

    ``step``, ``drift``: the level goes up by 8 deviations, at once or within a minute and then on. ``stuck``: one
    value. ``noisy``: six times the noise. ``spikes``: seven readings of ten are 12 deviations too high. ``missing``:
    says nothing. ``clipping``: four times the noise, cut off at 2 deviations to either side. ``bias``: the supply of
    the sensor's amplifier is gone, what is left is near zero and quiet.
    """

    sensor: str
    kind: FaultKind
    begins: float


class Crowd:
    """``count`` sensors, of which ``faults`` fail one after the other, the kinds in turn.

    ``level`` and ``noise``: mean and deviation of each while healthy. The first fails after ``fault_after`` seconds,
    the others every ``fault_every`` seconds. ``repeats``: the share of sensors that are read twice in every period.
    """

    def __init__(
        self,
        count: int,
        seed: int,
        *,
        faults: int = 0,
        fault_after: float = 300.0,
        fault_every: float = 1.0,
        repeats: float = 0.0,
    ) -> None:
        self._random = np.random.default_rng(seed)
        plan = np.random.default_rng([seed, 1])  # apart: faults change nothing of what the others say
        self.names = [f"hall/s{number:05d}" for number in range(count)]
        self.level = plan.uniform(10, 100, count)
        self.noise = plan.uniform(0.5, 2.0, count)
        phases = plan.random(count)
        twice = plan.choice(count, size=int(repeats * count), replace=False)
        phases = np.concatenate([phases, (phases[twice] + _AGAIN) % 1])
        turn = np.argsort(phases)
        self._turn = np.concatenate([np.arange(count), twice])[turn]
        self._phase = phases[turn]
        sick = np.sort(plan.choice(count, size=min(faults, count), replace=False))
        self.faults = [
            SeededFault(self.names[row], FAULT_KINDS[number % len(FAULT_KINDS)], fault_after + number * fault_every)
            for number, row in enumerate(sick.tolist())
        ]
        self._fault = np.full(count, -1)  # of each sensor, its place in `faults`
        self._fault[sick] = np.arange(sick.size)

    def taken(self, begin: float, end: float, period: float) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Return the sensors read in [``begin``, ``end``) and the moments, both in order of time.

        All in seconds; moments count from the start.
        """
        first, last = int(begin // period), int(end // period)
        rounds = np.arange(first, last + 1)[:, None]
        moments = ((rounds + self._phase) * period).ravel()
        inside = slice(*np.searchsorted(moments, [begin, end]).tolist())
        return np.tile(self._turn, rounds.size)[inside], moments[inside]

    def values(self, rows: NDArray[np.intp], elapsed: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """Return a reading of each of ``rows``, ``elapsed`` seconds from the start; NaN where a sensor says nothing."""
        values = self.level[rows] + self.noise[rows] * self._random.standard_normal(rows.size)
        moments = np.broadcast_to(elapsed, rows.shape)
        for place in np.flatnonzero(self._fault[rows] >= 0).tolist():
            fault = self.faults[self._fault[rows[place]]]
            if moments[place] >= fault.begins:
                values[place] = self._failed(int(rows[place]), fault, values[place], moments[place] - fault.begins)
        return values

    def _failed(self, row: int, fault: SeededFault, value: float, since: float) -> float:
        """Return what the sensor says instead of ``value``, ``since`` seconds after its fault began."""
        level, spread = float(self.level[row]), float(self.noise[row])
        match fault.kind:
            case "step":
                return value + _HEIGHT * spread
            case "drift":
                return value + _HEIGHT * spread * min(since / _DRIFT_S, 2.0)
            case "stuck":
                return level
            case "noisy":
                return level + 6 * (value - level)
            case "spikes":
                return value + (12 * spread if self._random.random() < _SPIKES else 0.0)
            case "missing":
                return math.nan
            case "clipping":
                return level + min(max(4 * (value - level), -_REACH * spread), _REACH * spread)
            case "bias":
                return 0.01 * (value - level)
