import threading
import time
from collections import Counter

import numpy as np
import pytest

from devices.concentrator import readings
from devices.crowd import FAULT_KINDS, Crowd
from devices.pace import spans
from modules.common.messages import MAX_PACKET, senml

BEGAN = 1_767_312_000.0


def test_every_sensor_is_read_once_a_period_at_a_moment_of_its_own_and_some_twice() -> None:
    crowd = Crowd(1000, seed=1, repeats=0.05)
    parts = [crowd.taken(begin, begin + 0.4, 2.0) for begin in np.arange(0, 6, 0.4)]
    moments = np.concatenate([part[1] for part in parts])
    assert np.all(np.diff(moments) >= 0)
    assert all(part[1].min() >= begin for part, begin in zip(parts, np.arange(0, 6, 0.4), strict=True))
    times = Counter(Counter(np.concatenate([part[0] for part in parts]).tolist()).values())
    assert times == {3: 950, 6: 50}
    first = dict(zip(*crowd.taken(0, 2, 2.0), strict=True))
    assert np.histogram(list(first.values()), bins=4, range=(0, 2))[0] == pytest.approx([250] * 4, abs=60)


def test_the_largest_batch_fits_a_message() -> None:
    crowd = Crowd(10_000, seed=1)
    rows, moments = crowd.taken(0, 1, 1.0)
    body = senml.encode(readings(crowd, rows[:6000], moments[:6000], BEGAN))
    assert len(body) < MAX_PACKET - 2000
    decoded = senml.decode(body)
    assert decoded.names == [crowd.names[row] for row in rows[:6000]]
    assert decoded.times == pytest.approx((BEGAN + moments[:6000]).tolist(), abs=2e-6)


def test_the_same_seed_gives_the_same_faults_and_values() -> None:
    one, two = (Crowd(1000, seed=3, faults=16) for _ in range(2))
    assert one.faults == two.faults
    assert Counter(fault.kind for fault in one.faults) == dict.fromkeys(FAULT_KINDS, 2)
    rows = np.arange(1000)
    np.testing.assert_array_equal(one.values(rows, 0.0), two.values(rows, 0.0))


def test_before_their_time_the_sick_are_as_the_healthy_and_then_as_their_fault() -> None:
    sick, well = Crowd(1000, seed=3, faults=8, fault_after=50.0), Crowd(1000, seed=3)
    rows = np.arange(1000)
    before, same = (np.array([crowd.values(rows, float(second)) for second in range(40)]) for crowd in (sick, well))
    np.testing.assert_array_equal(before, same)
    after = np.array([sick.values(rows, 200.0 + second) for second in range(400)])
    level, noise = before.mean(axis=0), before.std(axis=0)
    shape = {
        fault.kind: (after[:, row].mean() - level[row], after[:, row].std()) / noise[row]
        for fault in sick.faults
        for row in [sick.names.index(fault.sensor)]
    }
    assert shape["step"] == pytest.approx((8, 1), abs=2)
    assert shape["drift"] == pytest.approx((16, 1), abs=4)
    assert shape["noisy"] == pytest.approx((0, 6), abs=2)
    assert shape["spikes"][1] > 4
    assert shape["stuck"][1] < 1e-12
    assert np.isnan(shape["missing"]).all()
    assert 1 < shape["clipping"][1] < 2.5
    assert shape["bias"][0] < -4
    assert shape["bias"][1] < 0.05


def test_what_a_silent_sensor_does_not_say_is_left_out() -> None:
    crowd = Crowd(100, seed=3, faults=8, fault_after=0.0)
    rows, moments = crowd.taken(50, 51, 1.0)
    (silent,) = [fault.sensor for fault in crowd.faults if fault.kind == "missing"]
    assert {reading.name for reading in readings(crowd, rows, moments, BEGAN)} == {*crowd.names} - {silent}


def test_spans_follow_each_other_without_a_hole_and_stop_at_once() -> None:
    stopping = threading.Event()
    seen = []
    for start, begin, end in spans(0.02, stopping):
        seen.append((start, begin, end))
        if len(seen) == 2:
            time.sleep(0.05)
        if len(seen) == 4:
            stopping.set()
    assert [end for _, _, end in seen[:-1]] == [begin for _, begin, _ in seen[1:]]
    assert all(end - begin >= 0.02 for _, begin, end in seen)
    assert seen[2][2] - seen[2][1] >= 0.05  # while the caller was busy the next one grew
    assert len({start for start, _, _ in seen}) == 1
