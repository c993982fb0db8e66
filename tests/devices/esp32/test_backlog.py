"""What survives a sleep: bounded, in order, each batch with one id for as long as it is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from tests.devices.esp32.conftest import Served

BEGIN = 1_767_323_045_678
RANDOM = bytes(range(10))
STEPS = st.lists(st.sampled_from(["add", "add", "add", "sleep", "try", "ok"]), max_size=150)
ROOM = 2048 - 28


def _adds(count: int, batch: int) -> list[list[Any]]:
    return [["add", BEGIN + number, [1.0, 2.0, 3.0], batch, RANDOM] for number in range(count)]


@given(steps=STEPS, batch=st.integers(1, 30))
@settings(max_examples=40)
def test_it_is_a_queue_that_drops_its_oldest(leaf: Served, steps: list[str], batch: int) -> None:
    played: list[list[Any]] = []
    for number, step in enumerate(steps):
        played.append(["add", BEGIN + number, [1.0, 2.0, 3.0], batch, RANDOM] if step == "add" else [step])
    said = leaf("play", played)
    queue: list[list[int]] = []  # of sealed batches: seq, tried, then the times
    opened: list[int] = []
    seq = dropped = 0
    for number, (step, (their_seq, their_dropped, oldest)) in enumerate(zip(steps, said, strict=True)):
        if step == "add":
            while sum(22 + 20 * (len(each) - 2) for each in queue) + 22 + 20 * (len(opened) + 1) > ROOM:
                queue.pop(0)
                dropped += 1
            opened.append(BEGIN + number)
            if len(opened) == batch:
                queue.append([seq, 0, *opened])
                seq, opened = seq + 1, []
        elif step == "try" and queue:
            queue[0][1] = 1
        elif step == "ok" and queue:
            queue.pop(0)
        assert (their_seq, their_dropped) == (seq, dropped)
        if not queue:
            assert oldest is None
        else:
            assert oldest[1:4] == [queue[0][0], bool(queue[0][1]), queue[0][0] + 1]
            assert [reading[0] for reading in oldest[4]] == queue[0][2:]
            assert all(reading[1] == [1.0, 2.0, 3.0] for reading in oldest[4])


def test_a_batch_keeps_its_id_over_sleeps_and_tries(leaf: Served) -> None:
    said = leaf("play", [*_adds(2, 2), ["try"], ["sleep"], *_adds(2, 2), ["sleep"], ["try"]])
    assert len({kept[0] for _, _, kept in said[1:]}) == 1
    assert [kept[2] for _, _, kept in said[1:]] == [False] + [True] * 6


@pytest.mark.parametrize("batch", [1, 6, 30])
def test_it_never_grows_beyond_its_memory_and_says_what_it_dropped(leaf: Served, batch: int) -> None:
    fit = ROOM // (22 + 20 * batch)
    seq, dropped, oldest = leaf("play", _adds((fit + 3) * batch, batch))[-1]
    assert seq == fit + 3
    assert oldest[1] == dropped
    assert seq - dropped in {fit, fit - 1}


@given(byte=st.integers(0, 2047), bit=st.integers(0, 7))
@settings(max_examples=40)
def test_memory_that_is_not_whole_begins_anew(leaf: Served, byte: int, bit: int) -> None:
    said = leaf("play", [*_adds(3, 2), ["damage", byte, bit]])
    assert said[-1] == [0, 0, None]


def test_sequence_numbers_go_on_over_what_was_acknowledged(leaf: Served) -> None:
    said = leaf("play", [step for _ in range(3) for step in (*_adds(1, 1), ["ok"], ["sleep"])])
    assert [each[0] for each in said[::3]] == [1, 2, 3]
