"""The core against the definitions, one reading at a time; and what bad input does to it."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.vibration.finding import Finding
from modules.vibration.scalar.core import ScalarCore
from modules.vibration.scalar.outcome import Outcome
from modules.vibration.scalar.rules import Aggregation, Limits, Rule, Statistics

START = 1_700_000_040.0  # on a minute
LEVEL = Rule(group="presses", match=("press*",), unit="Cel", limit=100.0)


def feed(core: ScalarCore, name: str, values: Sequence[float], *, start: float = START, step: float = 1.0) -> Outcome:
    times = [start + number * step for number in range(len(values))]
    return core.handle([name] * len(values), values, times, [None] * len(values), seq=1, now=times[-1])


def findings(outcome: Outcome, rule: str) -> list[Finding]:
    return [finding for finding in outcome.findings if finding.rule == rule]


reading = st.tuples(
    st.integers(0, 4),
    st.integers(-3, 6),
    st.one_of(st.floats(-4, 4), st.sampled_from([0.0, 50.0, -50.0])),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(reading, max_size=60), min_size=1, max_size=4),
    st.integers(0, 2**16),
)
def test_equals_handling_readings_one_by_one(
    plain_sensor: Any, batches: list[list[tuple[int, int, float]]], seed: int
) -> None:
    rule = Rule(group="any", flags=2, flags_of=4, hold_off=0, relearn_after=0)
    statistics = Statistics(warm_up=10, memory=100)
    core = ScalarCore([rule], statistics, Aggregation(seconds=1000))
    plain = {f"s{number}": plain_sensor(rule, statistics) for number in range(5)}
    rng = np.random.default_rng(seed)
    clock = dict.fromkeys(plain, START)
    for warm in range(12):  # past the warm-up, so that flags happen
        for name, sensor in plain.items():
            value = float(rng.normal())
            clock[name] = START + warm
            core.handle([name], [value], [clock[name]], [None], seq=1, now=START)
            sensor.reading(clock[name], value)
    for sensor in plain.values():
        sensor.flagged.clear()
        sensor.raised.clear()
    expected: Counter[str] = Counter()
    counted: Counter[str] = Counter()
    flagged: list[tuple[str, float, float]] = []
    raised: list[tuple[str, float]] = []
    for batch in batches:
        names, values, times = [], [], []
        for sensor, step, value in batch:
            name = f"s{sensor}"
            clock[name] += step
            names.append(name)
            times.append(clock[name])
            values.append(value)
        for place in sorted(range(len(times)), key=times.__getitem__):  # a batch is merged: oldest first
            expected[plain[names[place]].reading(times[place], values[place])] += 1
        outcome = core.handle(names, values, times, [None] * len(names), seq=1, now=START)
        counted.update(outcome.rejected)
        counted["accepted"] += outcome.accepted
        for flags in outcome.flags:
            for row, time, value in zip(flags.sensor, flags.time, flags.value, strict=True):
                flagged.append((core.sensors.names[row], float(time), float(value)))
        raised += [(f.sensor, f.time) for f in findings(outcome, "deviation") if f.state == "raised"]
    assert +counted == +expected
    for name, sensor in plain.items():
        row = core.sensors.row(name)
        assert core.baseline.mean[row] == pytest.approx(sensor.mean, abs=1e-12)
        assert core.baseline.variance[row] == pytest.approx(sensor.variance, abs=1e-12)
        assert [entry[1:] for entry in flagged if entry[0] == name] == sensor.flagged
        assert [time for sensor_name, time in raised if sensor_name == name] == sensor.raised
        recent = [value for _, value in sensor.kept][-64:]
        assert core.windows.recent(row or 0).tolist() == recent


def test_levels_raise_escalate_and_clear_with_hysteresis() -> None:
    core = ScalarCore([LEVEL])
    outcome = feed(core, "press4/temp", [39, 41, 69, 71, 65, 65, 65, 65, 38, 38, 35, 35, 35, 35, 35])
    states = [(f.state, f.severity, f.value, f.advice) for f in findings(outcome, "level")]
    assert states == [
        ("raised", "warning", 41.0, "schedule inspection"),
        ("updated", "critical", 71.0, "immediate shutdown required"),
        ("updated", "warning", 35.0, "schedule inspection"),
        ("cleared", "info", 35.0, "no action needed"),
    ]
    assert findings(outcome, "level")[0].limit == 100.0
    assert findings(outcome, "level")[0].unit == "Cel"


def test_hold_off_keeps_the_same_level_quiet_but_not_a_worse_one() -> None:
    rule = LEVEL.model_copy(update={"clear_after": 0.0, "hold_off": 10.0})
    core = ScalarCore([rule])
    outcome = feed(core, "press1", [41, 10, 41, 41, 41, 71, 10, 10] + [41] * 15)
    assert [(f.state, f.severity, f.time - START) for f in findings(outcome, "level")] == [
        ("raised", "warning", 0),
        ("cleared", "info", 1),
        ("raised", "critical", 5),
        ("updated", "warning", 6),
        ("cleared", "info", 7),
        ("raised", "warning", 17),
    ]


def test_a_deviation_needs_k_of_n_flags_and_ends() -> None:
    rng = np.random.default_rng(1)
    core = ScalarCore([Rule(group="any", flags=3, flags_of=5)])
    clean = rng.normal(20, 1, 200).tolist()
    outcome = feed(core, "a", [*clean, 30, 20, 30, 20, 20, 20, 30, 30, 30, *([20.0] * 5)])
    assert [(f.state, f.time - START) for f in findings(outcome, "deviation")] == [("raised", 208), ("cleared", 213)]
    assert findings(outcome, "deviation")[0].severity == "warning"


def test_a_deviation_that_ended_is_not_raised_anew_within_the_hold_off() -> None:
    core = ScalarCore([Rule(group="any", flags=2, flags_of=3, hold_off=20.0)])
    clean = np.random.default_rng(1).normal(20, 1, 200).tolist()
    outcome = feed(core, "a", [*clean, 30, 30, 20, 20, 20, 30, 30, *([20.0] * 18), 30, 30])
    told = [(f.state, f.time - START) for f in findings(outcome, "deviation")]
    assert told == [("raised", 201), ("cleared", 204), ("raised", 226)]


def test_a_new_level_becomes_normal_after_a_while() -> None:
    rng = np.random.default_rng(2)
    core = ScalarCore([Rule(group="any", relearn_after=50)])
    outcome = feed(core, "a", [*rng.normal(20, 1, 200).tolist(), *rng.normal(40, 1, 300).tolist()])
    assert [f.state for f in findings(outcome, "deviation")] == ["raised", "cleared"]
    assert core.baseline.mean[0] == pytest.approx(40, abs=0.3)


def test_bad_readings_are_counted_by_reason_and_the_rest_is_handled() -> None:
    core = ScalarCore([LEVEL], limits=Limits(sensors=3))
    names = ["press1", "press1", "press1", "press1", "press2", "press2", "press3", "press4"]
    values = [math.nan, math.inf, 1e300, 20.0, 21.0, 22.0, 300.0, 5.0]
    units = ["Cel", "Cel", "Cel", "Cel", "Cel", "Pa", "K", "Cel"]
    times = [START + number for number in range(8)]
    outcome = core.handle(names, values, times, units, seq=1, now=START)
    assert outcome.rejected == {"nan": 1, "infinite": 1, "oversize": 1, "unit": 1, "too_many_sensors": 1}
    assert outcome.accepted == 3
    assert core.windows.recent(2).tolist() == pytest.approx([26.85])


def test_an_empty_batch_is_nothing() -> None:
    assert ScalarCore().handle([], [], [], [], seq=1, now=START).accepted == 0


def test_readings_of_a_wrong_clock_count_as_of_now() -> None:
    core = ScalarCore()
    outcome = core.handle(["a", "b"], [1.0, 2.0], [5.0, START + 1e6], [None, None], seq=1, now=START)
    assert (outcome.accepted, outcome.restamped) == (2, 2)
    assert core.clock.time[:2].tolist() == [START, pytest.approx(START + 1e-6)]


def test_a_clock_set_back_is_believed_after_a_while() -> None:
    core = ScalarCore()
    feed(core, "a", [1.0], start=START + 1000)
    outcome = core.handle(["a"] * 40, [2.0] * 40, [START + n for n in range(40)], [None] * 40, seq=2, now=START)
    assert outcome.rejected == {"late": 29}
    assert outcome.accepted == 11


def test_state_survives_a_restart_without_blindness() -> None:
    rng = np.random.default_rng(3)
    before = ScalarCore([LEVEL], aggregation=Aggregation(seconds=60))
    feed(before, "press1", rng.normal(20, 1, 150).tolist())
    names, units = before.sensors.saved()
    after = ScalarCore([LEVEL], aggregation=Aggregation(seconds=60))
    after.restore(names, units, before.saved())
    outcome = feed(after, "press1", [90.0, *([20.0] * 100)], start=START + 150)
    assert [f.severity for f in findings(outcome, "level") if f.state == "raised"] == ["critical"]
    assert len(outcome.flags) == 1
    assert [bool(batch.partial[0]) for batch in outcome.windows] == [True, False]
    assert int(outcome.windows[0].count[0]) == 60


def test_settings_change_while_running() -> None:
    core = ScalarCore([LEVEL])
    assert not findings(feed(core, "press1", [30.0]), "level")
    core.configure([LEVEL.model_copy(update={"limit": 35.0})], Statistics(), Aggregation(), Limits())
    raised = findings(feed(core, "press1", [30.0], start=START + 10), "level")
    assert [(f.severity, f.limit) for f in raised] == [("critical", 35.0)]


def test_clean_gaussian_sensors_raise_no_alarm() -> None:
    """10,000 sensors for 300 readings each: 3 million clean readings, at most one finding, flags near 0.27 %."""
    rng = np.random.default_rng(4)
    core = ScalarCore()
    rows = core.resolve([f"s{number}" for number in range(10_000)])
    outcome = Outcome()
    for second in range(300):
        core.judge(core.readings(rows, rng.normal(20, 1, rows.size), START + second), outcome, now=START + second)
    raised = [finding for finding in outcome.findings if finding.state == "raised"]
    assert len(raised) <= 1
    flagged = sum(flags.sensor.size for flags in outcome.flags)
    assert flagged / (10_000 * 200) == pytest.approx(0.0027, rel=0.25)


def test_flagged_values_do_not_change_what_is_normal() -> None:
    core = ScalarCore()
    feed(core, "a", np.random.default_rng(6).normal(20, 1, 200).tolist())
    before = (core.baseline.mean[0], core.baseline.variance[0], core.baseline.n[0])
    outcome = feed(core, "a", [40.0, 0.0, 41.0] * 10, start=START + 200)
    assert sum(flags.sensor.size for flags in outcome.flags) == 30
    assert (core.baseline.mean[0], core.baseline.variance[0], core.baseline.n[0]) == before


def test_a_sensor_that_comes_later_is_held_to_its_limit_too() -> None:
    core = ScalarCore([LEVEL])
    for number in range(300):
        outcome = feed(core, f"press{number}", [90.0])
        assert [finding.severity for finding in findings(outcome, "level")] == ["critical"], number


def test_whose_clock_is_wrong_is_known_until_it_is_right() -> None:
    core = ScalarCore()
    core.handle(["a", "b"], [1.0, 2.0], [5.0, START], [None, None], seq=1, now=START)
    assert core.clock.doubted[:2].tolist() == [True, False]
    core.handle(["a", "b"], [1.0, 2.0], [START + 1, START + 1], [None, None], seq=2, now=START + 1)
    assert not core.clock.doubted.any()


def test_a_rule_says_what_to_do_in_the_sites_own_words() -> None:
    rule = Rule(group="doors", limit=60.0, advice=("shut the door", "move the goods"))
    assert [rule.advise(severity) for severity in ("warning", "critical", "info")] == [
        "shut the door",
        "move the goods",
        "no action needed",
    ]
    assert Rule(group="any").advise("critical") == "immediate shutdown required"
