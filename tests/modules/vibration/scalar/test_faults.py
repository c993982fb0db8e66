"""Seeded faults of five kinds among clean sensors: each is found, and the clean ones raise nothing."""

import numpy as np

from devices.crowd import Crowd
from modules.vibration.finding import Finding
from modules.vibration.scalar.core import Outcome, ScalarCore

START = 1_700_000_040.0


def test_twenty_faults_of_five_kinds_are_found_among_two_thousand_sensors() -> None:
    crowd = Crowd(2_000, seed=5, faults=20, fault_after=300.0)
    core = ScalarCore()
    rows = core.resolve(crowd.names)
    first: dict[str, Finding] = {}
    for second in range(480):
        outcome = Outcome()
        values = crowd.values(rows, float(second))
        core.judge(core.readings(rows, values, START + second), outcome, now=START + second)
        for finding in outcome.findings:
            if finding.state == "raised":
                first.setdefault(finding.sensor, finding)
    assert set(first) == {fault.sensor for fault in crowd.faults}
    for fault in crowd.faults:
        delay = first[fault.sensor].time - START - fault.begins
        limit = {"step": 6, "drift": 60, "stuck": 125, "noisy": 40, "spikes": 15}[fault.kind]
        assert 0 <= delay <= limit, (fault, delay)
    assert {first[fault.sensor].rule for fault in crowd.faults if fault.kind == "stuck"} == {"stuck"}


def test_a_sensor_that_falls_silent_is_missed_and_welcomed_back() -> None:
    core = ScalarCore()
    rng = np.random.default_rng(1)

    def hear(begin: int, end: int) -> None:
        for second in range(begin, end):
            readings = core.readings(core.resolve(["a"]), rng.normal(size=1), START + second)
            core.judge(readings, Outcome(), now=START + second)

    hear(0, 130)
    assert core.tick(START + 150, START).findings == []
    (missed,) = core.tick(START + 161, START).findings
    assert (missed.rule, missed.state, missed.sensor) == ("missing", "raised", "a")
    assert core.tick(START + 162, START).findings == []
    hear(170, 172)
    (back,) = core.tick(START + 172, START).findings
    assert (back.rule, back.state) == ("missing", "cleared")


def test_nobody_is_missed_for_the_time_that_nobody_listened() -> None:
    core = ScalarCore()
    core.judge(core.readings(core.resolve(["a"]), np.ones(1), START), Outcome(), now=START)
    assert core.tick(START + 1000, START + 990).findings == []


def test_a_coarse_sensor_is_not_called_stuck() -> None:
    core = ScalarCore()
    rng = np.random.default_rng(2)
    rows = core.resolve(["coarse"])
    findings = []
    for second in range(3600):
        value = np.round(rng.normal(20.0, 0.02, 1) + second / 3600, 1)
        outcome = Outcome()
        core.judge(core.readings(rows, value, START + second), outcome, now=START + second)
        findings += outcome.findings
    assert [finding for finding in findings if finding.rule == "stuck"] == []
