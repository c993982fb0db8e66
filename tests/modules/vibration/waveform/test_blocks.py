"""Windows out of blocks, against cutting the whole signal."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.vibration.waveform.blocks import KEPT_WINDOWS, Assembler, Block, OutOfPlaceError

RATE = 1000.0
START = 1_700_000_000.0


def block(samples: list[float] | np.ndarray[tuple[int], np.dtype[np.float32]], seq: int, time: float) -> Block:
    return Block(np.asarray(samples, dtype=np.float32), RATE, time, seq)


@settings(max_examples=80, deadline=None)
@given(
    st.integers(2, 40),
    st.integers(1, 40),
    st.lists(st.integers(1, 200), min_size=1, max_size=30),
)
def test_windows_equal_slices_of_the_whole_signal(window: int, hop: int, sizes: list[int]) -> None:
    hop = min(hop, window)
    whole = np.arange(sum(sizes), dtype=np.float32)
    assembler = Assembler(window, hop, RATE)
    edges = np.cumsum([0, *sizes]).tolist()
    found = []
    for seq, (begin, end) in enumerate(pairwise(edges)):
        for each in assembler.add(block(whole[begin:end], seq, START + begin / RATE)):
            first = int(each.samples[0])
            found.append(each.samples.copy())
            assert np.array_equal(each.past, whole[first + window - each.past.size : first + window])
            assert each.past.size >= min(first + window, (KEPT_WINDOWS - 1) * window)
            assert each.start == pytest.approx(START + first / RATE, abs=1e-6)
            assert each.end == pytest.approx(START + (first + window - 1) / RATE, abs=1e-6)
            assert each.last_seq == seq
            assert edges[each.first_seq] <= first < edges[each.first_seq + 1]
    expected = [whole[start : start + window] for start in range(0, whole.size - window + 1, hop)]
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_window_never_spans_a_hole() -> None:
    assembler = Assembler(10, 10, RATE)
    assert not list(assembler.add(block([1.0] * 6, 1, START)))
    windows = list(assembler.add(block([2.0] * 12, 3, START + 0.012)))
    assert [window.samples.tolist() for window in windows] == [[2.0] * 10]
    assert (windows[0].gaps, windows[0].first_seq) == (1, 3)


def test_repeated_and_late_blocks_change_nothing() -> None:
    assembler = Assembler(10, 10, RATE)
    list(assembler.add(block([1.0] * 6, 5, START)))
    for seq, reason in ((5, "duplicate"), (4, "late")):
        with pytest.raises(OutOfPlaceError, match=reason):
            assembler.add(block([9.0] * 6, seq, START))
    windows = list(assembler.add(block([1.0] * 6, 6, START + 0.006)))
    assert [window.samples.tolist() for window in windows] == [[1.0] * 10]


def test_a_restarted_source_begins_anew() -> None:
    assembler = Assembler(10, 10, RATE)
    list(assembler.add(block([1.0] * 6, 500, START)))
    windows = list(assembler.add(block([2.0] * 10, 1, START + 20)))
    assert [window.samples.tolist() for window in windows] == [[2.0] * 10]


def test_a_jump_of_the_clock_is_a_hole() -> None:
    assembler = Assembler(10, 10, RATE)
    list(assembler.add(block([1.0] * 6, 1, START)))
    assert not list(assembler.add(block([2.0] * 6, 2, START + 100)))
