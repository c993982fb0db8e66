"""Windows against scipy and numpy on the readings they should hold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from modules.vibration.scalar.core import ScalarCore
from modules.vibration.scalar.outcome import Outcome
from modules.vibration.scalar.rules import Aggregation, Limits
from modules.vibration.scalar.window import WindowBatch

START = 1_700_000_040.0


def one_by_one(batches: list[WindowBatch]) -> list[WindowBatch]:
    return [batch.rows(np.array([place])) for batch in batches for place in range(len(batch))]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.01, 9), st.floats(-1e3, 1e3)), min_size=1, max_size=300),
    st.integers(1, 40),
    st.sampled_from([0.0, 1e5]),
)
def test_time_windows_hold_what_fell_into_them(steps: list[tuple[float, float]], cut: int, offset: float) -> None:
    core = ScalarCore(aggregation=Aggregation(seconds=60))
    times = (START + np.cumsum([step for step, _ in steps])).tolist()
    values = [value + offset for _, value in steps]
    windows = []
    for begin in range(0, len(times), cut):
        part = slice(begin, begin + cut)
        count = len(times[part])
        outcome = core.handle(["a"] * count, values[part], times[part], [None] * count, seq=begin, now=times[-1])
        windows += one_by_one(outcome.windows)
    windows += one_by_one(core.tick(times[-1] + 1000, times[-1] + 1000).windows)
    kept = np.array(values)
    number = np.floor(np.array(times) / 60)
    expected = [kept[number == k] for k in np.unique(number)]
    assert [int(window.count[0]) for window in windows] == [part.size for part in expected]
    for window, part in zip(windows, expected, strict=True):
        assert window.mean[0] == pytest.approx(part.mean(), abs=1e-7)
        assert window.deviation[0] == pytest.approx(part.std(), abs=1e-7 + 1e-6 * abs(offset) ** 0.5)
        assert window.rms[0] == pytest.approx(np.sqrt(np.mean(part**2)), rel=1e-9)
        assert window.low[0] == part.min()
        assert window.high[0] == part.max()
        assert window.peak[0] == np.abs(part).max()
        if part.std() > 1e-3 * (1 + offset):
            assert window.kurtosis[0] == pytest.approx(stats.kurtosis(part, fisher=False), rel=1e-5)
            assert window.skewness[0] == pytest.approx(stats.skew(part), rel=1e-5, abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-10, 10), min_size=1, max_size=300), st.integers(1, 100), st.integers(1, 70))
def test_count_windows_hold_just_so_many(values: list[float], count: int, cut: int) -> None:
    core = ScalarCore(aggregation=Aggregation(count=count))
    windows: list[WindowBatch] = []
    for begin in range(0, len(values), cut):
        part = values[begin : begin + cut]
        times = [START + begin + place for place in range(len(part))]
        windows += one_by_one(core.handle(["a"] * len(part), part, times, [None] * len(part), seq=7, now=START).windows)
    whole = [values[begin : begin + count] for begin in range(0, len(values) - count + 1, count)]
    assert [window.mean[0] for window in windows] == pytest.approx([np.mean(part) for part in whole], abs=1e-9)
    assert all(int(window.count[0]) == count for window in windows)


def test_windows_carry_sequence_numbers_gaps_flags_and_partial() -> None:
    core = ScalarCore(aggregation=Aggregation(seconds=60))
    outcome = Outcome()
    for second in range(200):
        lost = 2 if second == 100 else 0
        seq = second + (2 if second >= 100 else 0)
        core.judge(
            core.readings(core.resolve(["a"]), np.array([1.0]), START + 30 + second, seq=seq, lost=lost),
            outcome,
            now=START + second,
        )
    first, second_window, third = one_by_one(outcome.windows)
    assert bool(first.partial[0])
    assert not bool(second_window.partial[0])
    assert (first.first_seq[0], first.last_seq[0]) == (0, 29)
    assert (second_window.first_seq[0], second_window.last_seq[0]) == (30, 89)
    assert (third.gaps[0], third.first_seq[0], third.last_seq[0]) == (2, 90, 151)
    assert second_window.start[0] == START + 60
    assert second_window.end[0] == START + 120


@pytest.mark.parametrize("lateness", [0.0, 5.0])
def test_a_gap_counts_once_however_many_readings_a_message_brings(lateness: float) -> None:
    core = ScalarCore(aggregation=Aggregation(count=30), limits=Limits(lateness=lateness))
    outcome = core.handle(
        ["a", "b"] * 30, [1.0] * 60, [START + n // 2 for n in range(60)], [None] * 60, seq=9, lost=3, now=START + 40
    )
    assert [gaps for batch in outcome.windows for gaps in batch.gaps.tolist()] == [3, 3]


def test_a_constant_signal_has_no_shape() -> None:
    core = ScalarCore(aggregation=Aggregation(count=100))
    window = core.handle(
        ["a"] * 100, [5.0] * 100, [START + n for n in range(100)], [None] * 100, seq=1, now=START + 100
    )
    batch = window.windows[0]
    assert (batch.kurtosis[0], batch.skewness[0], batch.crest[0], batch.rms[0]) == (0, 0, 1, 5)


def test_a_silent_sensor_still_ends_its_window() -> None:
    core = ScalarCore(aggregation=Aggregation(seconds=60, grace=5))
    core.handle(["a"], [1.0], [START], [None], seq=1, now=START)
    assert core.tick(START + 64, START).windows == []
    assert len(core.tick(START + 66, START).windows) == 1
    assert core.tick(START + 67, START).windows == []
