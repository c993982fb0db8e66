"""Readings a second through the scalar core alone, on batches as a concentrator sends them."""

import time

import numpy as np

from bench.claim import Claim
from modules.vibration.scalar.core import Outcome, ScalarCore
from modules.vibration.scalar.readings import Readings
from modules.vibration.scalar.rules import Rule

SENSORS = 10_000
REPEATS = 0.05
WARM_UP = 1_100  # seconds of the plant, a little more than what a baseline remembers
START = 1_700_000_040.0
# Every rule on: half of the sensors have a limit, all are watched for deviations.
RULES = (Rule(group="limited", match=("*1", "*3", "*5", "*7", "*9"), limit=200.0), Rule(group="others"))


class Stream:
    """Seconds of a plant: every sensor once in random order, 5 % of them twice; 1 % of the time 20 sensors are sick."""

    def __init__(self, sensors: int, seed: int, kept: int = 40) -> None:
        rng = np.random.default_rng(seed)
        self.sensors = sensors
        self.level, self.noise = rng.uniform(10, 60, sensors), rng.uniform(0.5, 2, sensors)
        rounds = []
        for _ in range(kept):
            twice = rng.choice(sensors, int(REPEATS * sensors), replace=False)
            rows = np.concatenate([np.arange(sensors), twice])
            rng.shuffle(rows)
            values = self.level[rows] + self.noise[rows] * rng.standard_normal(rows.size)
            rounds.append((rows, values))
        self._rounds = rounds
        self._apart = np.arange(rounds[0][0].size) * 1e-6

    def second(self, number: int) -> Readings:
        """Return the readings of one second."""
        rows, values = self._rounds[number % len(self._rounds)]
        if number % 100 == 99:
            values = np.asarray(values + np.where(rows < 20, 12 * self.noise[rows], 0.0), dtype=np.float64)
        times = np.asarray(START + number + self._apart, dtype=np.float64)
        return Readings(rows, values, times, seq=number)


def core_rates(*, sensors: int = SENSORS, seconds: float, passes: int = 5, seed: int = 1) -> list[float]:
    """Readings a second that the core judges, pass by pass, window ends and findings included.

    SenML and names are not its business: rows are given. Each pass is at least a minute of the plant, so that every
    sensor's window ends in it.
    """
    core = ScalarCore(RULES)
    core.resolve([f"hall/s{number:05d}" for number in range(sensors)])
    stream = Stream(sensors, seed)
    number = 0
    rates = []
    for measured in range(passes + 1):  # the first fills the memory of every baseline
        done, judging, until = 0, 0.0, number + (WARM_UP if measured == 0 else 60)
        while number < until or (measured and judging < seconds / passes):
            readings = stream.second(number)
            outcome = Outcome()
            begun = time.perf_counter()
            core.judge(readings, outcome, now=START + number + 1)
            judging += time.perf_counter() - begun
            done += outcome.accepted
            if outcome.accepted != readings.rows.size:
                raise AssertionError(f"{readings.rows.size - outcome.accepted} were lost: {outcome.rejected}")
            number += 1
        rates.append(done / judging)
    return rates[1:]


def run(*, quick: bool) -> dict[str, Claim]:
    """Measure the core alone: the best pass, which is the one that other work on this machine disturbed least."""
    rate = max(core_rates(seconds=1.0 if quick else 10.0))
    return {"core_per_s": Claim(rate, "readings/s", 2e6, 10e6, "none: one core, batches of 10,500")}
