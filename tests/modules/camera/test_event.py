from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.camera.conveyor import PITCH, Belt, part
from modules.camera.event import Event, EventRules, Shot
from modules.camera.frame import Frame, Lazy, Picture
from modules.camera.gate import Gate
from modules.camera.motion import Motion, Region, Thing

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def frame(name: str, second: float = 0.0, fine: int = 0) -> Frame:
    picture = np.zeros((100, 400), np.uint8)
    picture[:, ::2] = fine
    return Frame(picture, NOW + timedelta(seconds=second), item=name)


def thing(x: int, area: float = 0.1, *, whole: bool = True, y: int = 20) -> Thing:
    return Thing(Region(x, y, 40, 40), area, whole=whole)


def follow(event: Event, steps: Sequence[tuple[Thing, ...]]) -> list[tuple[int, str | None]]:
    """At which step which frame was sent."""
    sent: list[tuple[int, str | None]] = []
    for index, things in enumerate(steps):
        shots = event.follow(frame(str(index), index / 10), Motion(0.1, things))
        sent.extend((index, shot.frame.item) for shot in shots)
    return sent


def test_the_first_whole_view_is_sent_once_it_was_seen_in_three_frames() -> None:
    passing = [(thing(x, whole=index > 0),) for index, x in enumerate(range(0, 160, 20))]
    assert follow(Event(), [*passing, (), ()]) == [(2, "1")]


def test_what_is_never_whole_gives_its_largest_view_at_the_end() -> None:
    steps = [(thing(0, area, whole=False),) for area in (0.1, 0.4, 0.2)]
    assert follow(Event(), [*steps, (), (), ()]) == [(4, "1")]


BLIND = Motion(0.0, blind=True)


def test_what_was_there_before_the_gate_saw_is_sent_whole_or_not_at_all() -> None:
    for whole, sent in ((False, []), (True, ["1"])):
        event = Event()
        event.follow(frame("blind"), BLIND)
        leaving = [(thing(20 * index, 0.3 - 0.05 * index, whole=whole),) for index in range(5)]
        assert [item for _, item in follow(event, [*leaving, (), ()])] == sent


def test_what_comes_after_the_gate_sees_again_is_sent_though_it_is_never_whole() -> None:
    event = Event()
    event.follow(frame("blind"), BLIND)
    event.follow(frame("bare"), Motion(0.0))
    assert follow(event, [(thing(0, area, whole=False),) for area in (0.1, 0.4, 0.2)] + [(), ()]) == [(4, "1")]


def test_what_leaves_before_so_many_whole_views_gives_the_best_of_them() -> None:
    steps = [(thing(20 * index, whole=index < 3),) for index in range(5)]
    assert follow(Event(EventRules(best_of=10)), steps) == [(3, "0")]


@pytest.mark.parametrize("steady", [1, 2, 3, 5])
def test_what_is_gone_too_soon_is_nothing(steady: int) -> None:
    for frames in range(1, 7):
        steps: list[tuple[Thing, ...]] = [(thing(20 * index),) for index in range(frames)]
        sent = follow(Event(EventRules(steady=steady)), [*steps, (), (), ()])
        assert bool(sent) == (frames >= steady)


def test_what_is_somewhere_else_each_time_is_nothing() -> None:
    steps = [(thing(x),) for x in (0, 150, 300, 100, 250, 20)]
    assert follow(Event(), [*steps, (), ()]) == []


def test_an_endless_event_is_cut() -> None:
    sent = follow(Event(EventRules(longest=5)), [(thing(100),)] * 12)
    assert [index for index, _ in sent] == [2, 5, 10]


def test_parts_side_by_side_are_decided_in_one_moment() -> None:
    event, together = Event(), []
    for index in range(6):
        things = tuple(thing(10 * index + 100 * place, y=20) for place in range(3))
        together.append(len(event.follow(frame(str(index), index / 10), Motion(0.3, things))))
    assert together == [0, 0, 3, 0, 0, 0]


def test_a_part_that_comes_while_another_is_in_view_is_sent_too() -> None:
    steps = [tuple(thing(x) for x in (10 * index, 10 * index - 150) if x >= 0) for index in range(30)]
    assert len(follow(Event(), steps)) == 2


def test_no_frame_is_turned_into_colour_before_it_is_sent() -> None:
    made = []

    def colour() -> Picture:
        made.append(True)
        return np.zeros((100, 400, 3), np.uint8)

    event, shots = Event(EventRules(best_of=4)), list[Shot]()
    for index in range(12):
        seen = Frame(Lazy(colour), NOW + timedelta(seconds=index / 10), luma=np.zeros((100, 400), np.uint8))
        shots += event.follow(seen, Motion(0.1, (thing(20 * index),)) if 2 <= index < 8 else Motion(0.0))
    assert len(shots) == 1
    assert not made


def test_the_sharpest_or_the_largest_of_the_first_n() -> None:
    for by, best in (("sharpest", "3"), ("largest", "1")):
        event = Event(EventRules(best_of=4, best_by="sharpest" if by == "sharpest" else "largest"))
        shots: list[Shot] = []
        for index, (fine, area) in enumerate(((10, 0.1), (10, 0.4), (20, 0.2), (90, 0.2), (250, 0.5))):
            seen = Motion(area, (thing(10 * index, area),))
            shots += event.follow(frame(str(index), index / 10, fine), seen)
        assert [shot.frame.item for shot in shots] == [best]


def test_within_the_cool_down_nothing_more_is_sent() -> None:
    passing: list[tuple[Thing, ...]] = [*(((thing(20 * index),)) for index in range(5)), (), (), ()]
    event = Event(EventRules(cool_down_s=1.0))
    assert [index for index, _ in follow(event, passing * 4)] == [2, 18]
    assert event.cooled == 2


@given(st.lists(st.lists(st.tuples(st.integers(0, 360), st.booleans()), max_size=4), max_size=40))
def test_whatever_is_seen_each_track_sends_at_most_once_and_ends(seen: list[list[tuple[int, bool]]]) -> None:
    event = Event()
    steps = [tuple(thing(x, whole=whole) for x, whole in things) for things in seen]
    sent = follow(event, [*steps, (), ()])
    assert len(sent) <= sum(map(len, seen))
    assert not event.going_on
    assert event.follow(frame("end"), Motion(0.0)) == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_each_part_of_the_belt_is_sent_once(seed: int) -> None:
    gate, event, belt = Gate(), Event(), Belt(seed=seed, pixels_per_frame=40)
    sent: list[str | None] = []
    for index in range(9 * PITCH // 40):
        picture, what = belt.frame(index)
        shots = event.follow(Frame(picture, NOW, item=what.name if what else None), gate.watch(picture))
        sent.extend(shot.frame.item for shot in shots)
    assert sent[:8] == [part(seed, number, 0.25).name for number in range(8)]
    assert None not in sent  # the empty belt
