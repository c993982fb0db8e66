"""Sensors that are ill: stuck, cut off, without bias; and well again."""

import numpy as np
from numpy.typing import NDArray

from modules.vibration.scalar.core import ScalarCore
from modules.vibration.scalar.outcome import Outcome
from modules.vibration.scalar.rules import Aggregation

START = 1_700_000_040.0
MINUTES = 18


def told(values: NDArray[np.float64]) -> list[tuple[str, str, float]]:
    core = ScalarCore(aggregation=Aggregation(seconds=60))
    found: list[tuple[str, str, float]] = []
    for minute in range(0, values.size, 60):
        part = values[minute : minute + 60]
        times = [START + minute + place for place in range(part.size)]
        outcome = core.handle(["a"] * part.size, part.tolist(), times, [None] * part.size, seq=1, now=times[-1])
        found += [(each.rule, each.state, each.time - START) for each in outcome.findings if each.rule != "deviation"]
    return found


def noise(seed: int = 1, minutes: int = MINUTES) -> NDArray[np.float64]:
    return np.round(np.random.default_rng(seed).normal(50, 1, 60 * minutes), 3)


def test_a_signal_that_is_cut_off_is_told_and_ends() -> None:
    values = noise()
    values[720:900] = np.clip(50 + 4 * (values[720:900] - 50), 48, 52)
    assert told(values) == [("clipping", "raised", 840), ("clipping", "cleared", 960)]


def test_one_side_is_enough() -> None:
    values = noise(2)
    values[720:900] = np.minimum(values[720:900], 50.2)
    assert [each[:2] for each in told(values)] == [("clipping", "raised"), ("clipping", "cleared")]


def test_a_stuck_sensor_is_told_and_ends() -> None:
    values = noise(3)
    values[420:600] = 50.5
    assert told(values) == [("stuck", "raised", 480), ("stuck", "cleared", 660)]


def test_a_lost_bias_is_no_stuck_sensor() -> None:
    values = noise(4)
    values[420:600] = 0.25
    assert told(values) == [("bias", "raised", 480), ("bias", "cleared", 660)]
    values[420:600] = 0.01 * noise(5)[420:600]
    assert told(values) == [("bias", "raised", 480), ("bias", "cleared", 660)]


def test_coarse_sensors_are_not_called_cut_off() -> None:
    """A hundred each that tell two deviations, one, a half, a tenth apart; two hours."""
    rng = np.random.default_rng(7)
    grain = np.repeat([2.0, 1.0, 0.5, 0.1], 100)
    core, found = ScalarCore(), []
    rows = core.resolve([f"s{number}" for number in range(400)])
    for second in range(7200):
        outcome = Outcome()
        values = np.round(rng.normal(50, 1, 400) / grain) * grain
        core.judge(core.readings(rows, values, START + second), outcome, now=START + second)
        found += [each.text for each in outcome.findings if each.rule == "clipping"]
    assert found == []


def test_a_machine_that_only_changes_its_load_has_not_lost_a_bias() -> None:
    values = noise(6)
    values[420:] += 30
    assert told(values) == []
