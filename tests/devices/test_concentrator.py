import threading
from collections import Counter
from datetime import UTC, datetime

import numpy as np
import pytest

from devices.concentrator import batches
from devices.crowd import FAULT_KINDS, Crowd
from devices.pace import beats
from modules.common.messages import MAX_PACKET, senml

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def test_a_round_reads_every_sensor_once_and_some_twice_in_batches_that_fit() -> None:
    crowd = Crowd(10_000, seed=1)
    parts = batches(crowd, 0, NOW, 1.0, 8000, 0.05)
    counts = Counter(reading.name for part in parts for reading in part)
    assert (len(counts), sorted(Counter(counts.values()).items())) == (10_000, [(1, 9500), (2, 500)])
    assert [len(part) for part in parts] == [8000, 2500]
    assert all(len(senml.encode(part)) < MAX_PACKET - 2000 for part in parts)
    decoded = senml.decode(senml.encode(parts[0]))
    assert decoded.names == [reading.name for reading in parts[0]]
    assert len({*zip(decoded.names, decoded.times, strict=True)}) == 8000  # a second reading has a time of its own


def test_the_same_seed_gives_the_same_faults_and_values() -> None:
    one, two = (Crowd(1000, seed=3, faults=10) for _ in range(2))
    assert one.faults == two.faults
    assert Counter(fault.kind for fault in one.faults) == dict.fromkeys(FAULT_KINDS, 2)
    rows = np.arange(1000)
    np.testing.assert_array_equal(one.values(rows, 0.0), two.values(rows, 0.0))


def test_before_their_time_the_sick_are_as_the_healthy() -> None:
    sick, well = Crowd(1000, seed=3, faults=10, fault_after=50.0), Crowd(1000, seed=3, faults=0)
    spread = [
        np.std([crowd.values(np.arange(1000), float(second))[:] for second in range(40)], axis=0).mean()
        for crowd in (sick, well)
    ]
    assert spread[0] == pytest.approx(spread[1], rel=0.1)


def test_beats_keep_the_pace_and_stop_at_once() -> None:
    stopping = threading.Event()
    seen = []
    for number, time in beats(0.02, stopping):
        seen.append((number, time.timestamp()))
        if number == 3:
            stopping.set()
    assert [number for number, _ in seen] == [0, 1, 2, 3]
    assert [later - seen[0][1] for _, later in seen] == pytest.approx([0, 0.02, 0.04, 0.06], abs=1e-5)
