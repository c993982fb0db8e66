"""The hours of the drain, under right and wrong clocks."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.cache.windows import LONGEST_SHUT_S, OPENED_FOR_S, Schedule, Window

NIGHT = Window(time(22), time(6))
NOON = Window(time(12), time(13))
DAY = datetime(2026, 1, 2, tzinfo=UTC)


def schedule(*windows: Window, zone: str = "UTC") -> Schedule:
    return Schedule(windows, ZoneInfo(zone), 0.0)


@pytest.mark.parametrize(
    ("window", "at", "opens_in"),
    [
        (NIGHT, time(22), 0),
        (NIGHT, time(23, 59, 59), 0),
        (NIGHT, time(0), 0),
        (NIGHT, time(5, 59, 59), 0),
        (NIGHT, time(6), 16 * 3600),
        (NIGHT, time(21, 59, 59), 1),
        (NOON, time(12, 30), 0),
        (NOON, time(13), 23 * 3600),
        (Window(time(7), time(7)), time(3), 0),
    ],
)
def test_a_window(window: Window, at: time, opens_in: float) -> None:
    assert window.opens_in(at) == opens_in


def test_without_windows_it_is_always_open() -> None:
    assert schedule().wait(DAY, 0.0) == 0


def test_any_of_several_is_enough_and_the_zone_counts() -> None:
    several = schedule(NIGHT, NOON)
    assert several.wait(DAY.replace(hour=12), 0.0) == 0
    assert several.wait(DAY.replace(hour=14), 1.0) > 0
    assert several.wait(DAY.replace(hour=23), 2.0) == 0
    berlin = schedule(NOON, zone="Europe/Berlin")
    assert berlin.wait(DAY.replace(hour=11, minute=30), 0.0) == 0
    assert berlin.wait(DAY.replace(hour=12, minute=30), 1.0) > 0


def test_it_asks_again_before_long_for_the_clock_may_be_set() -> None:
    assert 0 < schedule(NOON).wait(DAY.replace(hour=14), 0.0) <= 60


@settings(deadline=None, max_examples=60)
@given(
    stuck=st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001 -- given its zone below
    steps=st.lists(st.floats(1, 4000), min_size=60, max_size=120),
)
def test_a_clock_that_stands_still_shuts_it_for_a_day_at_most(stuck: datetime, steps: list[float]) -> None:
    plan, running, open_at = schedule(NOON), 0.0, 0.0
    for step in steps:
        running += step
        if plan.wait(stuck.replace(tzinfo=UTC), running) == 0:
            open_at = running
        assert running - open_at < LONGEST_SHUT_S + 4000


def test_an_hour_is_all_that_a_wrong_clock_opens() -> None:
    plan, at = schedule(NOON), DAY.replace(hour=14)
    assert plan.wait(at, LONGEST_SHUT_S - 1) > 0
    assert plan.wait(at, LONGEST_SHUT_S) == 0
    assert plan.wait(at, LONGEST_SHUT_S + OPENED_FOR_S - 1) == 0
    assert plan.wait(at, LONGEST_SHUT_S + OPENED_FOR_S) > 0
    assert plan.wait(at, 2 * LONGEST_SHUT_S + OPENED_FOR_S - 1) > 0
    assert plan.wait(at, 2 * LONGEST_SHUT_S + OPENED_FOR_S) == 0


def test_a_right_clock_is_never_overruled() -> None:
    plan = schedule(NOON)
    for minute in range(3 * 24 * 60):
        at = DAY + timedelta(minutes=minute)
        assert (plan.wait(at, 60.0 * minute) == 0) == (at.hour == 12)
