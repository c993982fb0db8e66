"""Restart rules, by edgeAgent's words and by properties."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localhub.agent.policy import Again, Policy, Runtime, Stay, Timings, after_exit, exit_code

TIMINGS = Timings(unit_s=0.5, longest_s=10, steady_s=30, most=5)
CODES = st.integers(0, 255)
RAN = st.floats(0, 1e6)
STREAKS = st.integers(0, 10)


@pytest.mark.parametrize(
    ("policy", "code", "again"),
    [
        (Policy.NEVER, 0, False),
        (Policy.NEVER, 1, False),
        (Policy.ON_FAILURE, 0, False),
        (Policy.ON_FAILURE, 1, True),
        (Policy.ON_UNHEALTHY, 0, False),
        (Policy.ON_UNHEALTHY, 137, True),
        (Policy.ALWAYS, 0, True),
        (Policy.ALWAYS, 1, True),
    ],
)
def test_who_is_started_again(policy: Policy, code: int, again: bool) -> None:
    assert isinstance(after_exit(policy, TIMINGS, code=code, ran_s=1, streak=0), Again) is again


@given(code=CODES, ran_s=RAN, streak=STREAKS)
def test_who_stays_is_stopped_by_0_and_failed_otherwise(code: int, ran_s: float, streak: int) -> None:
    state = Runtime.FAILED if code else Runtime.STOPPED
    assert after_exit(Policy.NEVER, TIMINGS, code=code, ran_s=ran_s, streak=streak) == Stay(state)


@given(policy=st.sampled_from(Policy), code=CODES, ran_s=RAN, streak=STREAKS)
def test_the_pause_is_bounded_and_the_streak_grows_by_one(policy: Policy, code: int, ran_s: float, streak: int) -> None:
    following = after_exit(policy, TIMINGS, code=code, ran_s=ran_s, streak=streak)
    if isinstance(following, Again):
        assert TIMINGS.unit_s <= following.pause_s <= TIMINGS.longest_s
        assert following.streak == (0 if ran_s >= TIMINGS.steady_s else streak) + 1


@given(code=CODES, ran_s=st.floats(0, 29))
def test_crash_loops_pause_longer_and_end_failed(code: int, ran_s: float) -> None:
    pauses, streak = [], 0
    while isinstance(following := after_exit(Policy.ALWAYS, TIMINGS, code=code, ran_s=ran_s, streak=streak), Again):
        pauses.append(following.pause_s)
        streak = following.streak
    assert pauses == [0.5, 1, 2, 4, 8]
    assert following == Stay(Runtime.FAILED)


@given(st.floats(30, 1e9))
def test_who_ran_steadily_is_never_given_up(ran_s: float) -> None:
    assert after_exit(Policy.ALWAYS, TIMINGS, code=1, ran_s=ran_s, streak=99) == Again(0.5, 1)


def test_exit_codes_are_those_of_a_container_engine() -> None:
    assert [exit_code(code) for code in (0, 3, -9, -15)] == [0, 3, 137, 143]
