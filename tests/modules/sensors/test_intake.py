"""What comes too fast is bounded and counted, and the newest of each point is what goes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.common.messages import Reading
from modules.sensors import intake as module
from modules.sensors.intake import Intake
from modules.sensors.point import Point

NOW = 1_700_000_000.0
WAVE = Point(name="wave", address="w", rate_hz=1000, unit="m/s2")


def point(name: str = "a", interval_s: float | None = None) -> Point:
    return Point(name=name, address="x", interval_s=interval_s)


def drained(intake: Intake, at: float) -> list[Reading]:
    return intake.flush(at)[0]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 5)), max_size=200),
    st.sampled_from([0.0, 0.1, 1.0]),
    st.sampled_from([0.05, 0.3]),
)
def test_every_value_is_sent_once_or_counted_and_the_newest_is_sent(
    came: list[tuple[str, float]], interval: float, every: float
) -> None:
    intake, sent, at, flushed = Intake(interval), list[Reading](), 100.0, 100.0
    for number, (name, wait) in enumerate(came):
        at += wait * interval / 2
        while flushed + every <= at:
            flushed += every
            sent += drained(intake, flushed)
        intake.take(point(name), number, now=NOW + at, at=at)
    for _ in range(10):
        flushed = max(flushed, at) + interval + every
        sent += drained(intake, flushed)
    assert not intake.waiting
    assert len(sent) + intake.dropped["flood"] == len(came)
    for name in "abc":
        values = [number for number, (each, _) in enumerate(came) if each == name]
        found = [each.value for each in sent if each.name == name]
        assert found == sorted(found)
        assert found[-1:] == values[-1:]


def test_jitter_of_what_comes_at_the_very_interval_costs_nothing() -> None:
    intake, sent = Intake(1.0), 0
    for number in range(200):
        at = 100 + number + (0.04 if number % 2 else -0.04)
        sent += len(drained(intake, at - 0.5))
        intake.take(point(), number, now=NOW, at=at)
    sent += len(drained(intake, 400))
    assert (sent, intake.dropped["flood"]) == (200, 0)


def test_ten_times_the_rate_is_bounded_by_the_interval() -> None:
    intake, sent = Intake(1.0), 0
    for number in range(1000):
        intake.take(point(), number, now=NOW, at=100 + number / 10)
        sent += len(drained(intake, 100 + number / 10))
    assert 95 <= sent <= 105
    assert intake.dropped["flood"] == pytest.approx(900, abs=5)


def test_what_waits_is_bounded_though_nobody_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_READY", 10)
    intake = Intake(0.0)
    for number in range(1000):
        intake.take(point(), number, now=NOW, at=100 + number)
    readings = drained(intake, 2000) + drained(intake, 2001)
    assert len(readings) == 11
    assert readings[-1].value == 999


def test_names_from_outside_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_NAMES", 3)
    intake = Intake(0.0)
    for number in range(5):
        intake.take_reading(Reading(f"n{number}", 1.0, NOW), now=NOW, at=1)
    assert intake.dropped == {"too_many_points": 2}


def test_blocks_may_come_twice_as_fast_as_they_were_sampled_and_no_faster() -> None:
    intake, sent = Intake(1.0), 0
    for number in range(100):
        intake.take(WAVE, [0.0] * 1000, now=NOW, at=100 + number / 10)
        sent += len(intake.flush(100 + number / 10)[1])
    assert 19 <= sent <= 21


def test_a_block_without_a_time_ended_as_it_came_and_is_never_too_long_for_a_message() -> None:
    intake = Intake(1.0)
    assert intake.take(WAVE, [0.0] * 500, now=NOW, at=1)
    assert not intake.take(WAVE, [0.0] * 60_001, now=NOW, at=9)
    ((block,),) = (intake.flush(2)[1],)
    assert block.time == NOW - 0.5
    assert intake.dropped == {"too_long": 1}


@pytest.mark.parametrize("time", [NOW - 3601, NOW + 61, float("nan"), float("inf"), 0.0])
def test_a_wrong_clock_is_counted(time: float) -> None:
    intake = Intake(0.0)
    assert not intake.take(point(), 1, now=NOW, at=1, time=time)
    assert not intake.take_reading(Reading("b", 1.0, time), now=NOW, at=1)
    assert intake.dropped == {"time": 2}
    assert intake.drops() == [("time", 2)]
    assert intake.drops() == []
