"""Seeded faults among clean sensors: each is found, and the clean ones raise nothing."""

from typing import Any

import numpy as np
import pytest

from devices.crowd import FAULT_KINDS, Crowd
from modules.common.health import resident_bytes
from modules.vibration.scalar.core import ScalarCore
from modules.vibration.scalar.outcome import Outcome

START = 1_700_000_040.0
# Seconds from a fault to its alert at most. What only a window shows takes the rest of one and a whole one.
SOON = {
    "step": 6,
    "drift": 60,
    "stuck": 125,
    "noisy": 60,
    "spikes": 40,
    "missing": 35,
    "clipping": 185,
    "bias": 6,
}
NAMED = {"stuck": "stuck", "missing": "missing", "clipping": "clipping"}


def _say(*what: object) -> None:
    print(*what)  # noqa: T201 - what a soak found, for the person who ran it


def test_twenty_four_faults_of_eight_kinds_are_found_among_two_thousand_sensors(watch: Any) -> None:
    crowd = Crowd(2_000, seed=5, faults=24, fault_after=780.0)
    first, _ = watch(crowd, 1020)
    assert set(first) == {fault.sensor for fault in crowd.faults}
    for fault in crowd.faults:
        delay = first[fault.sensor].time - START - fault.begins
        assert 0 <= delay <= SOON[fault.kind], (fault, first[fault.sensor])
        if fault.kind in NAMED:
            assert first[fault.sensor].rule == NAMED[fault.kind]


@pytest.mark.soak
def test_ten_thousand_clean_sensors_over_a_day_raise_one_alert_at_most(watch: Any) -> None:
    """864 million readings; see Persistence for the arithmetic."""
    crowd = Crowd(10_000, seed=24)
    first, core = watch(crowd, 86_400)
    _say({name: (finding.rule, finding.text) for name, finding in first.items()})
    assert len(first) <= 1
    spread = core.baseline.sigma(np.arange(10_000)) / crowd.noise
    assert spread.mean() == pytest.approx(1.0, abs=0.01)


@pytest.mark.soak
def test_twenty_four_faults_among_ten_thousand_sensors_over_a_day_are_found(watch: Any) -> None:
    crowd = Crowd(10_000, seed=25, faults=24, fault_after=36_000.0, fault_every=120.0)
    first, _ = watch(crowd, 86_400)
    _say(f"{'fault':10} {'n':>2} {'found':>5} {'rule':24} time to alert, s")
    for kind in FAULT_KINDS:
        faults = [fault for fault in crowd.faults if fault.kind == kind]
        found = [(first[fault.sensor], fault) for fault in faults if fault.sensor in first]
        delays = " ".join(f"{finding.time - START - fault.begins:.0f}" for finding, fault in found)
        _say(f"{kind:10} {len(faults):2} {len(found):5} {' '.join(sorted({f.rule for f, _ in found})):24} {delays}")
    others = set(first) - {fault.sensor for fault in crowd.faults}
    assert {fault.sensor for fault in crowd.faults} <= set(first)
    assert len(others) <= 1
    for fault in crowd.faults:
        assert 0 <= first[fault.sensor].time - START - fault.begins <= SOON[fault.kind]


@pytest.mark.soak
def test_a_week_of_five_hundred_sensors_neither_drifts_nor_grows(watch: Any) -> None:
    crowd = Crowd(500, seed=7)
    sizes: list[int] = []
    resident: list[int] = []
    means: list[float] = []

    def look(second: int, core: ScalarCore) -> None:
        if second % 21_600 == 21_599:
            rows = np.arange(500)
            sizes.append(sum(column.nbytes for column in core.saved().values()))
            resident.append(resident_bytes())
            means.append(float((core.baseline.sigma(rows) / crowd.noise).mean()))

    first, core = watch(crowd, 7 * 86_400, look)
    _say("mean deviation over the true one, every six hours:", [round(mean, 4) for mean in means])
    _say("resident MB, every six hours:", [round(size / 1e6, 1) for size in resident])
    assert len(first) <= 1
    assert len(set(sizes)) == 1
    assert max(resident) - resident[1] < 4e6
    assert means == pytest.approx([1.0] * len(means), abs=0.01)
    off = (core.baseline.mean[:500] - crowd.level) / crowd.noise
    assert np.abs(off).max() < 0.15  # a memory of 1000 readings scatters by 1 / sqrt(2000) deviations
    assert abs(off.mean()) < 0.005


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
