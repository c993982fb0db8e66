"""What a gate learns of a view in which things pass."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.camera.conveyor import Belt
from modules.camera.event import Event
from modules.camera.frame import Frame
from modules.camera.gate import Gate
from modules.camera.motion import USUAL
from modules.camera.settling import Settling
from tests.modules.camera.still import HEIGHT, START, WIDTH, noisy, scene

ROWS, COLUMNS = 6, 40
BELT = np.random.default_rng(2).uniform(40, 200, (ROWS, COLUMNS)).astype(np.float32)


def small(index: int, step: int, pitch: int, part: int, random: np.random.Generator) -> np.ndarray:
    """The belt with noise; parts with a surface of their own pass, one each `pitch` pixels."""
    seen = BELT + random.normal(0, 0.3, BELT.shape)
    for column in range(COLUMNS):
        if (column - step * index) % pitch < part:
            seen[:, column] = random.uniform(0, 250, ROWS)
    return np.asarray(seen, np.float32)


@settings(max_examples=40, deadline=None)
@given(
    step=st.integers(1, 7),
    pitch=st.integers(15, 60),
    covered=st.floats(0.1, 0.45),
    count=st.sampled_from([56, 112]),
    seed=st.integers(0, 99),
)
def test_parts_that_pass_leave_nothing(step: int, pitch: int, covered: float, count: int, seed: int) -> None:
    random, settling, part = np.random.default_rng(seed), Settling(USUAL), int(covered * pitch)
    frames = [small(index, step, pitch, part, random) for index in range(count)]
    for frame in frames:
        settling.add(frame, still=False)
    bare = np.mean([np.abs(frame - BELT) < 2 for frame in frames], axis=0)
    seen_often = bare >= 0.5  # a pitch may be longer than the frames went, or parts and steps in time with each other
    assert np.abs(settling.view() - BELT)[seen_often].max(initial=0) < 1.5


def test_frames_in_which_nothing_moves_are_enough_by_themselves() -> None:
    settling = Settling(USUAL)
    for index in range(20):
        settling.add(BELT if index % 3 == 1 else BELT + 90, still=index % 3 == 1)
        assert not settling.due
    for _ in range(2):
        settling.add(BELT, still=True)
    assert settling.due and settling.stands
    np.testing.assert_allclose(settling.view(), BELT, rtol=1e-6)


def test_it_asks_after_28_frames_and_twice_as_many_each_time_and_ends_after_112() -> None:
    settling, asked = Settling(USUAL), []
    while not settling.stands:
        settling.add(BELT, still=False)
        if settling.due:
            asked.append(len(settling.frames))
            settling.longer()
    assert asked == [28, 56, 112]


@pytest.mark.parametrize("first", [1, 3])
@pytest.mark.parametrize("jump", range(5, 30, 4))
def test_a_camera_that_begins_in_jumps_sends_whole_parts_and_no_ghosts(first: int, jump: int) -> None:
    gate, event, belt = Gate(), Event(), Belt(seed=1, pixels_per_frame=40)
    widths = []
    for index in [*range(first), *range(jump, jump + 100)]:
        picture, _ = belt.frame(index)
        widths += [
            shot.thing.region.width for shot in event.follow(Frame(picture, START), gate.watch(picture)) if shot.thing
        ]
    assert len(widths) >= 2
    assert set(widths) == {248}


@pytest.mark.parametrize(("pitch", "step"), [(240, 20), (240, 7), (300, 20), (400, 20)])
def test_a_gate_that_begins_on_a_crowded_belt_sees_each_part_by_itself(pitch: int, step: int) -> None:
    gate, event, random, widths = Gate(), Event(), np.random.default_rng(7), []
    for index in range(140 + 5 * pitch // step):
        seen = scene()
        for left in range(step * index % pitch - pitch, WIDTH, pitch):
            seen[HEIGHT // 4 : 180, max(0, left) : max(0, left + 100)] = 220
        frame = noisy(seen, random)
        shots = event.follow(Frame(frame, START), gate.watch(frame))
        if index >= 140:
            widths += [shot.thing.region.width for shot in shots if shot.thing]
    assert len([width for width in widths if 98 <= width <= 110]) >= 4
    assert max(widths) <= 110
