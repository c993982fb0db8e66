"""Rates of change, measuring ranges and live ranges; and that each alert has an end."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from modules.vibration.scalar.core import ScalarCore
from modules.vibration.scalar.rules import Rule

START = 1_700_000_040.0


def told(core: ScalarCore, rule: str, values: Sequence[float], *, step: float = 1.0) -> list[tuple[str, float]]:
    times = [START + number * step for number in range(len(values))]
    outcome = core.handle(["a"] * len(values), list(values), times, [None] * len(values), seq=1, now=times[-1])
    return [(each.state, each.time - START) for each in outcome.findings if each.rule == rule]


def test_too_fast_a_change_is_told_and_ends() -> None:
    core = ScalarCore([Rule(group="g", rate=2.0, flags=4, flags_of=4)])
    assert told(core, "rate", [0, 1, 2, 10, 11, 12, 13, 14, 15]) == [("raised", 3), ("cleared", 7)]


def test_a_rate_is_measured_over_its_time_so_that_noise_averages_out() -> None:
    rng = np.random.default_rng(1)
    noisy = rng.normal(0, 1, 1000).tolist()
    assert told(ScalarCore([Rule(group="g", rate=2.0)]), "rate", noisy, step=0.1) != []
    assert told(ScalarCore([Rule(group="g", rate=2.0, rate_over=10.0)]), "rate", noisy, step=0.1) == []


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0.25, 0.5, 1.0, 4.0]), st.integers(-8, 8)), min_size=1, max_size=60),
    st.integers(1, 3),
    st.integers(1, 7),
)
def test_rates_are_those_of_a_reference_one_by_one(steps: list[tuple[float, int]], needed: int, cut: int) -> None:
    rule = Rule(group="g", rate=3.0, rate_over=1.0, rate_flags=needed, flags=4, flags_of=4, hold_off=0)
    times = (START + np.cumsum([step for step, _ in steps])).tolist()
    values = [float(value) for _, value in steps]
    core, found = ScalarCore([rule]), []
    for begin in range(0, len(values), cut):
        part = slice(begin, begin + cut)
        size = len(values[part])
        outcome = core.handle(["a"] * size, values[part], times[part], [None] * size, seq=1, now=times[-1])
        found += [(each.state, each.time) for each in outcome.findings if each.rule == "rate"]
    expected: list[tuple[str, float]] = []
    recent: list[bool] = []
    standing = False
    anchor = (times[0], values[0])
    for time, value in zip(times[1:], values[1:], strict=True):
        if time - anchor[0] < rule.rate_over:
            continue
        recent = [*recent, abs(value - anchor[1]) > 3.0 * (time - anchor[0])][-4:]
        anchor = (time, value)
        if not standing and sum(recent) >= needed:
            standing = True
            expected.append(("raised", time))
        elif standing and not any(recent):
            standing = False
            expected.append(("cleared", time))
    assert found == expected


def test_readings_at_the_end_of_the_measuring_range_are_told_and_end() -> None:
    core = ScalarCore([Rule(group="g", measures=(-10, 10), flags=3, flags_of=4)])
    values = [1, 10, 2, 10, 10, 3, 4, 5, 6, -10, -11, -10, 0]
    assert told(core, "range", values) == [("raised", 4), ("cleared", 8), ("raised", 11)][:2]  # hold-off: 30 s


def test_a_loop_current_below_what_a_live_sensor_gives_is_told() -> None:
    core = ScalarCore([Rule(group="g", alive=(3.6, 21), flags=2, flags_of=3)])
    assert told(core, "live", [4, 12, 0.1, 0.1, 12, 12, 12]) == [("raised", 3), ("cleared", 6)]


def test_without_such_rules_nothing_is_kept_of_them() -> None:
    core = ScalarCore([Rule(group="g")])
    assert told(core, "rate", [0, 1000, -1000]) == []
    assert np.isnan(core.rates.value).all()


@pytest.mark.parametrize(
    "wrong", [{"measures": (3, 3)}, {"alive": (5, 1)}, {"rate": 0}, {"rate_flags": 9}, {"when": ()}]
)
def test_ranges_that_are_none_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Rule.model_validate({"group": "g", **wrong})
