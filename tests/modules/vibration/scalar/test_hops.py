"""Overlapping windows against a reference that keeps every reading and cuts each window anew."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from modules.vibration.scalar.core import ScalarCore
from modules.vibration.scalar.rules import Aggregation
from modules.vibration.scalar.window import WindowBatch

START = 1_700_000_040.0


def one_by_one(batches: list[WindowBatch], sensor: int) -> list[WindowBatch]:
    return [
        batch.rows(np.array([place]))
        for batch in batches
        for place in range(len(batch))
        if batch.sensor[place] == sensor
    ]


def _same(window: WindowBatch, part: np.ndarray, seqs: list[int]) -> None:
    assert int(window.count[0]) == part.size
    assert window.mean[0] == pytest.approx(part.mean(), abs=1e-9)
    assert window.deviation[0] == pytest.approx(part.std(), abs=1e-7)
    assert (window.low[0], window.high[0]) == (part.min(), part.max())
    assert (window.first_seq[0], window.last_seq[0]) == (seqs[0], seqs[-1])
    assert window.moments.at_high[0] == np.count_nonzero(part == part.max())
    assert window.moments.at_low[0] == np.count_nonzero(part == part.min())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1), st.floats(0.1, 9), st.integers(-20, 20)), min_size=1, max_size=200),
    st.sampled_from([(60.0, 20.0), (60.0, 10.0), (30.0, 30.0), (10.0, 2.5)]),
    st.integers(1, 30),
)
def test_time_windows_hop(steps: list[tuple[int, float, int]], shape: tuple[float, float], cut: int) -> None:
    seconds, hop = shape
    core = ScalarCore(aggregation=Aggregation(seconds=seconds, hop=hop))
    times = (START + np.cumsum([step for _, step, _ in steps])).tolist()
    values = np.array([float(value) for _, _, value in steps])
    who = np.array([sensor for sensor, _, _ in steps])
    windows = []
    for begin in range(0, len(times), cut):
        part = slice(begin, begin + cut)
        names = [f"s{sensor}" for sensor in who[part]]
        outcome = core.handle(
            names, values[part].tolist(), times[part], [None] * len(names), seq=begin // cut, now=times[-1]
        )
        windows += outcome.windows
    for later in (6.0, 1000.0):
        windows += core.tick(times[-1] + later, times[-1] + later).windows
    panes = np.floor(np.array(times) / hop).astype(int)
    for sensor in np.unique(who):
        mine = who == sensor
        ends = range(panes[mine].min(), panes[mine].max() + round(seconds / hop))
        expected = []
        for end in ends:
            inside = mine & (panes > end - round(seconds / hop)) & (panes <= end)
            if inside.any():
                expected.append((end, inside))
        found = one_by_one(windows, core.sensors.row(f"s{sensor}") or 0)
        assert [window.end[0] for window in found] == [(end + 1) * hop for end, _ in expected]
        assert [int(window.ordinal[0]) for window in found] == list(range(len(found)))
        for window, (end, inside) in zip(found, expected, strict=True):
            _same(window, values[inside], (np.flatnonzero(inside) // cut).tolist())
            assert window.start[0] == pytest.approx((end + 1) * hop - seconds)
            begun = times[int(np.flatnonzero(mine)[0])]
            assert bool(window.partial[0]) == (window.start[0] < begun)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(-9, 9), min_size=1, max_size=200),
    st.sampled_from([(20, 5), (8, 1), (12, 12), (6, 3)]),
    st.integers(1, 40),
)
def test_count_windows_hop(values: list[int], shape: tuple[int, int], cut: int) -> None:
    count, hop = shape
    core = ScalarCore(aggregation=Aggregation(count=count, hop_count=hop))
    windows = []
    for begin in range(0, len(values), cut):
        part = [float(value) for value in values[begin : begin + cut]]
        times = [START + begin + place for place in range(len(part))]
        windows += core.handle(["a"] * len(part), part, times, [None] * len(part), seq=begin // cut, now=START).windows
    found = one_by_one(windows, 0)
    begins = range(0, len(values) - count + 1, hop)
    assert len(found) == len(begins)
    for window, begin in zip(found, begins, strict=True):
        _same(
            window,
            np.array(values[begin : begin + count], dtype=float),
            [n // cut for n in range(begin, begin + count)],
        )
        assert (window.start[0], window.end[0]) == (START + begin, START + begin + count - 1)
        assert not window.partial[0]


def test_a_restart_makes_windows_partial_until_they_hold_nothing_from_before() -> None:
    shape = Aggregation(seconds=60, hop=20)
    before = ScalarCore(aggregation=shape)
    for second in range(130):
        before.handle(["a"], [1.0], [START + second], [None], seq=second, now=START + second)
    after = ScalarCore(aggregation=shape)
    after.restore(*before.sensors.saved(), before.saved())
    windows = []
    for second in range(132, 270):
        windows += after.handle(["a"], [1.0], [START + second], [None], seq=second, now=START + second).windows
    found = [(window.end[0] - START, bool(window.partial[0])) for window in one_by_one(windows, 0)]
    assert found == [(140, True), (160, True), (180, True), (200, False), (220, False), (240, False), (260, False)]


def test_a_window_that_began_before_its_sensor_was_heard_is_partial() -> None:
    core = ScalarCore(aggregation=Aggregation(seconds=60, hop=20))
    windows = []
    for second in range(101):  # from the very beginning of a pane
        windows += core.handle(["a"], [1.0], [START + second], [None], seq=second, now=START + second).windows
    found = [(window.end[0] - START, bool(window.partial[0])) for window in one_by_one(windows, 0)]
    assert found == [(20, True), (40, True), (60, False), (80, False), (100, False)]


@pytest.mark.parametrize(
    "wrong", [{"seconds": 60, "hop": 25}, {"count": 10, "hop_count": 3}, {"hop_count": 3}, {"seconds": 600, "hop": 1}]
)
def test_a_window_is_a_whole_number_of_hops(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Aggregation.model_validate(wrong)
