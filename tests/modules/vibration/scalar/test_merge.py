"""Readings that come late, repeated or out of order, against a reference that sorts everything it has."""

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.vibration.scalar.core import ScalarCore
from modules.vibration.scalar.merge import Merge
from modules.vibration.scalar.outcome import Outcome
from modules.vibration.scalar.readings import Readings
from modules.vibration.scalar.rules import Aggregation, Limits, Rule, Statistics

START = 1_700_000_040.0
LATENESS = 5.0
# sensor, tenths of a second it was read at, how late it arrives, value
late = st.tuples(st.integers(0, 2), st.integers(0, 300), st.floats(0, LATENESS), st.integers(-2, 2))


def _core(lateness: float) -> ScalarCore:
    return ScalarCore(
        [Rule(group="any", flags=2, flags_of=4, limit=1.5, warning=0.5, critical=1.0)],
        Statistics(warm_up=5, memory=100),
        Aggregation(seconds=10),
        Limits(lateness=lateness),
    )


def _facts(core: ScalarCore, outcomes: list[Outcome]) -> tuple[object, ...]:
    findings = [
        (f.sensor, f.rule, f.state, f.time, f.value)
        for each in outcomes
        for f in each.findings
        if f.rule != "missing"  # silence is told by the clock, not by what arrives
    ]
    windows = sorted(
        (int(batch.sensor[n]), float(batch.start[n]), int(batch.count[n]), round(float(batch.mean[n]), 9))
        for each in outcomes
        for batch in each.windows
        for n in range(len(batch))
    )
    flags = sorted(
        (int(s), float(t)) for each in outcomes for f in each.flags for s, t in zip(f.sensor, f.time, strict=True)
    )
    learned = [np.round(core.baseline.mean[:3], 9).tolist(), np.round(core.baseline.variance[:3], 9).tolist()]
    return sorted(findings), windows, flags, learned


@settings(max_examples=80, deadline=None)
@given(st.lists(late, min_size=1, max_size=80), st.floats(0.05, 3.0))
def test_what_arrives_out_of_order_is_judged_as_if_it_had_come_in_order(
    readings: list[tuple[int, int, float, int]], every: float
) -> None:
    # The reference: everything sorted by its own time, of equal times what arrived first, one reading a batch.
    arrivals = sorted(
        (
            (START + tenths / 10 + lateness, START + tenths / 10, sensor, float(value))
            for sensor, tenths, lateness, value in readings
        ),
        key=lambda each: each[0],
    )
    plain, expected = _core(0.0), []
    rows = plain.resolve(["a", "b", "c"])
    for _, time, sensor, value in sorted(arrivals, key=lambda each: each[1]):
        outcome = Outcome()
        one = Readings(rows[[sensor]], np.array([value]), np.array([time]), 1)
        plain.judge(one, outcome, now=time)
        expected.append(outcome)
    # As it arrives, in batches of what came within `every` seconds.
    core, found = _core(LATENESS), []
    core.resolve(["a", "b", "c"])
    now = START
    while arrivals:
        now += every
        batch = [each for each in arrivals if each[0] <= now]
        arrivals = arrivals[len(batch) :]
        outcome = Outcome()
        core.judge(
            Readings(
                rows[[each[2] for each in batch]],
                np.array([each[3] for each in batch]),
                np.array([each[1] for each in batch]),
                1,
            ),
            outcome,
            now=now,
        )
        found.append(outcome)
    found.append(core.tick(now + 2 * LATENESS, START))
    assert len(core.merge) == 0
    tail = plain.tick(now + 2 * LATENESS, START)
    tail.windows.extend(plain.windows.close_overdue(now + 1000))
    found[-1].windows.extend(core.windows.close_overdue(now + 1000))
    assert _facts(core, found) == _facts(plain, [*expected, tail])
    rejected: list[Counter[str]] = [Counter(), Counter()]
    for counter, outcomes in zip(rejected, (expected, found), strict=True):
        for outcome in outcomes:
            counter.update(outcome.rejected)
    assert rejected[0] == rejected[1]
    assert set(rejected[0]) <= {"duplicate"}


def test_what_is_later_than_that_is_counted_as_late() -> None:
    core = _core(LATENESS)
    for now, time in ((START + 20, START + 10), (START + 21, START + 8)):
        outcome = core.handle(["a"], [1.0], [time], [None], seq=1, now=now)
    assert outcome.rejected == {"late": 1}


def test_a_batch_in_any_order_is_put_in_order_without_waiting() -> None:
    core = _core(0.0)
    times = [START + 3, START + 1, START + 2, START + 1]
    outcome = core.handle(["a"] * 4, [3.0, 1.0, 2.0, 1.0], times, [None] * 4, seq=1, now=START + 3)
    assert core.windows.recent(0).tolist() == [1.0, 2.0, 3.0]
    assert outcome.rejected == {"duplicate": 1}


def test_what_waits_survives_a_restart() -> None:
    before = _core(LATENESS)
    before.handle(["a", "b"], [1.0, 2.0], [START, START + 1], [None, None], seq=7, now=START + 1)
    after = _core(LATENESS)
    after.restore(*before.sensors.saved(), before.saved())
    assert len(after.merge) == 2
    assert after.tick(START + 10, START).accepted == 2
    assert after.windows.last_seq[:2].tolist() == [7, 7]


def test_saved_readings_of_unknown_sensors_are_refused() -> None:
    merge = Merge()
    merge.take(Readings(np.array([5]), np.ones(1), np.array([START]), 1), START - 1)
    saved = merge.saved()
    try:
        Merge().restore(saved, sensors=3)
    except ValueError:
        return
    raise AssertionError("row 5 of 3 was taken")
