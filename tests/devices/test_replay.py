from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from devices.recording import Recording
from devices.replay import message, schedule
from modules.common.messages import Waveform

BEGAN = datetime(2026, 1, 2, tzinfo=UTC)


def recordings(lengths: list[int]) -> dict[str, Recording]:
    return {
        f"s{number}": Recording(np.arange(length, dtype=np.float32), 1000.0 * (number + 1), "m/s2", 1800.0)
        for number, length in enumerate(lengths)
    }


@given(lengths=st.lists(st.integers(64, 5000), min_size=1, max_size=4), block=st.integers(50, 1000))
def test_every_sample_is_played_once_in_order_and_in_time(lengths: list[int], block: int) -> None:
    found = recordings(lengths)
    blocks = list(schedule(found, block=block))
    assert [each.due_s for each in blocks] == sorted(each.due_s for each in blocks)
    for name, recording in found.items():
        mine = [each for each in blocks if each.sensor == name]
        assert [each.seq for each in mine] == list(range(1, len(mine) + 1))
        played = np.concatenate([recording.samples[each.start : each.stop] for each in mine])
        np.testing.assert_array_equal(played, recording.samples)
        begins = [each.due_s - each.stop / recording.rate_hz for each in mine]
        assert max(begins) - min(begins) < 1e-9
        assert 0 <= begins[0] < block / recording.rate_hz


def test_a_block_is_stamped_with_its_first_sample() -> None:
    found = recordings([3000])
    second = list(schedule(found, block=1000))[1]
    block = Waveform.of(message(found["s0"], second, BEGAN, 1.0, 2))
    assert abs(block.time - BEGAN - timedelta(seconds=1)) < timedelta(microseconds=2)
    assert (block.rate_hz, block.unit, block.rpm, block.source, block.count) == (1000, "m/s2", 1800, "s0", 1000)
    np.testing.assert_array_equal(np.frombuffer(block.samples, "<f4"), np.arange(1000, 2000))
