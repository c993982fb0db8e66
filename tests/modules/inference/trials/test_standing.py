"""When a trial ends: by counts alone."""

import math
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from modules.inference.trials.settings import Guard, Rule
from modules.inference.trials.share import chosen
from modules.inference.trials.standing import Decision, Standing, wilson_low

answers = st.lists(st.tuples(st.booleans(), st.floats(0, 0.5)), max_size=200)
guards = st.builds(
    Guard,
    window=st.integers(10, 60),
    disagreement=st.floats(0, 1),
    latency_ms=st.floats(1, 400),
    slow=st.floats(0, 1),
)


def play(given_answers: Sequence[tuple[bool, float]], guard: Guard) -> tuple[Standing, Decision | None]:
    standing = Standing()
    for agrees, took_s in given_answers:
        decision = standing.answered(agrees=agrees, took_s=took_s, champion_s=0.01, guard=guard)
        if decision is not None:
            return standing, decision
    return standing, None


@given(answers, guards)
def test_it_is_taken_back_exactly_when_a_window_holds_too_many(played: list[tuple[bool, float]], guard: Guard) -> None:
    standing, decision = play(played, guard)

    def breaks(end: int) -> bool:
        window = played[max(0, end - guard.window) : end]
        disagreed = sum(not agrees for agrees, _ in window)
        slow = sum(took * 1e3 > guard.latency_ms for _, took in window)
        return disagreed > guard.disagreement * guard.window or slow > guard.slow * guard.window

    first = next((end for end in range(1, len(played) + 1) if breaks(end)), None)
    assert (decision is not None) == (first is not None)
    assert standing.n == (len(played) if first is None else first)
    assert decision is None or decision.what == "returned"


@given(answers, guards)
def test_a_challenger_that_always_agrees_in_time_stays(played: list[tuple[bool, float]], guard: Guard) -> None:
    _, decision = play([(True, 0.0) for _ in played], guard)
    assert decision is None


@given(st.lists(st.booleans(), max_size=60))
def test_two_failures_in_a_row_end_it_and_one_does_not(failures: list[bool]) -> None:
    standing = Standing()
    before = False
    for fails in failures:
        if fails:
            decision = standing.threw("hung")
            assert (decision is not None) == before
            if decision is not None:
                return
        else:
            standing.answered(agrees=True, took_s=0.0, champion_s=0.0, guard=Guard())
        before = fails


@given(st.integers(1, 3000), st.data(), st.floats(0, 1), st.integers(20, 2000), st.floats(1, 100))
def test_a_rule_promotes_only_what_it_says(
    n: int, data: st.DataObject, agreement: float, least: int, mean_ms: float
) -> None:
    agreed = data.draw(st.integers(0, n))
    standing = Standing(n=n, agreed=agreed, took_s=n * 0.02)
    rule = Rule(n=least, agreement=agreement, latency_ms=mean_ms)
    expected = n >= least and wilson_low(agreed, n) >= agreement and standing.took_s / n * 1e3 <= mean_ms
    found = standing.fulfils(rule)
    assert (found is not None) == expected
    assert found is None or found.what == "promoted"
    assert standing.fulfils(None) is None


def test_a_share_that_chance_may_have_given_is_no_promotion() -> None:
    """96 of 100 agree: the interval begins at 0.90. 970 of 1000: at 0.957."""
    rule = Rule(n=100, agreement=0.95, latency_ms=100)
    assert Standing(n=100, agreed=96, took_s=0.1).fulfils(rule) is None
    assert Standing(n=1000, agreed=970, took_s=0.1).fulfils(rule) is not None


def test_wilson_s_interval_is_the_published_one() -> None:
    """Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263 gives 0.2553 to 0.3662."""
    assert math.isclose(wilson_low(81, 263), 0.2553, abs_tol=5e-5)
    assert wilson_low(0, 20) == 0.0
    assert wilson_low(0, 0) == 0.0


@given(st.floats(0, 1), st.floats(0, 1), st.text(min_size=1))
def test_a_source_that_a_smaller_share_has_a_larger_one_has_too(one: float, other: float, source: str) -> None:
    less, more = sorted((one, other))
    assert not chosen(source, "t", less) or chosen(source, "t", more)
    assert not chosen(source, "t", 0.0)
    assert chosen(source, "t", 1.0)


def test_a_share_is_that_share_of_many_sources() -> None:
    count = sum(chosen(f"camera/{number}", "picture/tile/2.0.0", 0.2) for number in range(5000))
    assert 900 < count < 1100  # 5 standard deviations are 141
