"""What a description of signals gives: levels, cycles, and faults at their times."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from devices.signals import Cycle, Fault, Sensor, Signal

BEGAN = 1_767_323_045.0


def readings(sensor: Sensor, seconds: float, *, seed: int = 1, begin: float = 0.0) -> list[tuple[float, float]]:
    """Moment and value of each reading."""
    signal = Signal(sensor, seed, begin)
    return [(round(each.time - BEGAN, 3), each.value) for each in signal.until(seconds, BEGAN)]


AMOUNTS = st.floats(-1e3, 1e3)
TIMES = st.floats(0, 100)


@st.composite
def faults(draw: st.DrawFn) -> Fault:
    at, lasts, over = draw(TIMES), draw(st.floats(0.1, 50)), draw(st.sampled_from([0.0, 0.5, 20.0]))
    again = draw(st.booleans())
    return Fault(
        at_s=at,
        until_s=at + lasts if again or draw(st.booleans()) else None,
        every_s=(lasts + over) * 1.5 if again else 0.0,
        over_s=over,
        add=draw(AMOUNTS),
    )


@given(cuts=st.lists(st.floats(0, 20), max_size=6), seed=st.integers(0, 9))
def test_the_same_readings_however_they_are_asked_for(cuts: list[float], seed: int) -> None:
    sensor = Sensor(name="a/b", unit="Cel", level=5, noise=1, cycles=(Cycle(amplitude=2, period_s=7),))
    signal = Signal(sensor, seed)
    found = [each for end in [*sorted(cuts), 20.0] for each in signal.until(end, BEGAN)]
    assert found == list(Signal(sensor, seed).until(20.0, BEGAN))
    assert [round(each.time - BEGAN, 3) for each in found] == [round(0.1 * number, 3) for number in range(len(found))]
    assert len(found) == 200


@given(fault=faults(), moment=st.floats(0, 500))
def test_a_fault_adds_at_most_what_it_says_and_nothing_before_its_time(fault: Fault, moment: float) -> None:
    added = fault.added(moment)
    assert 0 <= fault.share(moment) <= 1
    assert abs(added) <= abs(fault.add)
    if moment < fault.at_s:
        assert added == 0
    elif fault.until_s is None and moment >= fault.at_s + fault.over_s:
        assert added == fault.add


@given(fault=faults().filter(lambda each: each.over_s > 0))
@settings(max_examples=30)
def test_what_takes_its_time_has_no_steps(fault: Fault) -> None:
    moments = [fault.at_s - 1 + number / 50 for number in range(1_500)]
    steps = [abs(fault.added(b) - fault.added(a)) for a, b in pairwise(moments)]
    assert max(steps) <= abs(fault.add) / fault.over_s / 50 * 1.01 + 1e-9


def test_a_fault_comes_again() -> None:
    fault = Fault(at_s=16, until_s=20, every_s=20, add=1)
    assert [fault.added(moment) for moment in (15.9, 16, 19.9, 20, 35.9, 36, 39.9, 40)] == [0, 1, 1, 0, 0, 1, 1, 0]


def test_growth_stuck_and_silence() -> None:
    door = Sensor(name="door", unit="s", level=0, every_s=1, faults=(Fault(at_s=10, until_s=20, per_s=1),))
    assert dict(readings(door, 25)) == {float(n): float(n - 10 if 10 <= n < 20 else 0) for n in range(25)}
    stuck = Sensor(name="s", unit="V", level=1, noise=1, every_s=1, faults=(Fault(at_s=5, stuck=True),))
    values = [value for _, value in readings(stuck, 20)]
    assert len(set(values[:5])) == 5 and set(values[5:]) == {values[4]}
    silent = Sensor(name="s", unit="V", level=1, every_s=1, faults=(Fault(at_s=5, until_s=8, silent=True),))
    assert [moment for moment, _ in readings(silent, 10)] == [0, 1, 2, 3, 4, 8, 9]


def test_cycles_drift_noise_and_the_lowest_value() -> None:
    sensor = Sensor(
        name="s", unit="Cel", level=10, noise=0.1, drift=0.01, cycles=(Cycle(amplitude=2, period_s=20, phase=0.25),)
    )
    found = readings(sensor, 100)
    for moment, value in found:
        assert value == pytest.approx(10 + 0.01 * moment + 2 * math.cos(2 * math.pi * moment / 20), abs=0.6)
    empty = Sensor(name="flow", unit="m3/s", level=0.001, noise=0.01, lowest=0.0)
    assert min(value for _, value in readings(empty, 10)) == 0


def test_it_may_begin_later() -> None:
    sensor = Sensor(name="door", unit="s", level=0, every_s=1, faults=(Fault(at_s=10, per_s=1),))
    assert readings(sensor, 25, begin=22.5) == [(23.0, 13.0), (24.0, 14.0)]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"name": "a b", "unit": "V", "level": 1}, "name"),
        ({"name": "a", "unit": "V", "level": "high"}, "level"),
        ({"name": "a", "unit": "V", "level": 1, "nois": 2}, "nois"),
        ({"name": "a", "unit": "V", "level": 1, "faults": [{"at_s": 5, "until_s": 5}]}, "until_s must be after"),
        ({"name": "a", "unit": "V", "level": 1, "faults": [{"at_s": 5, "every_s": 9}]}, "needs an until_s"),
    ],
)
def test_what_is_wrong_is_named(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Sensor.model_validate(wrong)
