"""The plant that the readings benches watch: 10,000 Gaussian sensors, read in random order, some of them twice."""

import numpy as np
from numpy.typing import NDArray

SENSORS = 10_000
REPEATS = 0.05  # of the sensors are read twice in a round
SICK = 20  # sensors that are far off in one second of a hundred


class Plant:
    """Readings second by second; ``kept`` rounds are drawn once and then repeated."""

    def __init__(self, sensors: int = SENSORS, *, seed: int = 1, kept: int = 40) -> None:
        rng = np.random.default_rng(seed)
        self.names = [f"hall/s{number:05d}" for number in range(sensors)]
        self._level, self._noise = rng.uniform(10, 60, sensors), rng.uniform(0.5, 2, sensors)
        self._rounds: list[tuple[NDArray[np.intp], NDArray[np.float64]]] = []
        for _ in range(kept):
            twice = rng.choice(sensors, int(REPEATS * sensors), replace=False)
            rows = np.concatenate([np.arange(sensors), twice])
            rng.shuffle(rows)
            self._rounds.append((rows, self._level[rows] + self._noise[rows] * rng.standard_normal(rows.size)))

    def second(self, number: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Return rows and values of one round."""
        rows, values = self._rounds[number % len(self._rounds)]
        if number % 100 == 99:
            return rows, np.where(rows < SICK, values + 12 * self._noise[rows], values)
        return rows, values
