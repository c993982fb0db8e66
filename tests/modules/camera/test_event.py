from datetime import UTC, datetime

import numpy as np
import pytest

from modules.camera.conveyor import PITCH, Belt, part
from modules.camera.event import Event
from modules.camera.frame import Frame
from modules.camera.gate import STILL, Gate, Motion, Region

BOX = Region(1, 1, 5, 5)
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def frame(name: str) -> Frame:
    return Frame(np.zeros((8, 8, 3), np.uint8), NOW, item=name)


def test_the_first_whole_view_is_sent_at_once_and_only_it() -> None:
    event = Event()
    assert event.follow(frame("a"), Motion(0.2, BOX)) is None
    shot = event.follow(frame("b"), Motion(0.1, BOX, whole=True))
    assert shot is not None and shot.frame.item == "b"
    assert event.follow(frame("c"), Motion(0.3, BOX, whole=True)) is None
    assert event.follow(frame("d"), STILL) is None
    assert event.follow(frame("e"), STILL) is None


def test_what_is_never_whole_gives_its_largest_change_at_the_end() -> None:
    event = Event()
    for name, area in (("a", 0.1), ("b", 0.4), ("c", 0.2)):
        assert event.follow(frame(name), Motion(area, BOX)) is None
    assert event.follow(frame("d"), STILL) is None
    shot = event.follow(frame("e"), STILL)
    assert shot is not None and shot.frame.item == "b"
    assert event.follow(frame("f"), STILL) is None


def test_an_endless_event_is_cut() -> None:
    event = Event(longest_frames=5)
    shots = [event.follow(frame(str(index)), Motion(0.2, BOX, whole=True)) for index in range(12)]
    assert [index for index, shot in enumerate(shots) if shot] == [0, 5, 10]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_each_part_of_the_belt_is_sent_once(seed: int) -> None:
    gate, event, belt = Gate(), Event(), Belt(seed=seed, pixels_per_frame=40)
    sent = []
    for index in range(20 * PITCH // 40):
        picture, what = belt.frame(index)
        shot = event.follow(Frame(picture, NOW, item=what.name if what else None), gate.watch(picture))
        if shot:
            sent.append(shot.frame.item)
    assert sent[:18] == [part(seed, number, 0.25).name for number in range(18)]
