"""Token buckets: nobody gets more than the rate and its burst, nobody waits who need not."""

from hypothesis import given
from hypothesis import strategies as st

from modules.status.limits import Failures, Limits

GAPS = st.lists(st.floats(0, 2), min_size=1, max_size=200)


@given(GAPS, st.floats(1, 50))
def test_no_client_gets_more_than_its_rate(gaps: list[float], per_s: float) -> None:
    limits, now, answered = Limits(), 0.0, 0
    for gap in gaps:
        now += gap
        answered += limits.wait("a", now, per_s=per_s, all_per_s=1e9) == 0
    assert answered <= per_s * 2 + per_s * now + 1


@given(GAPS)
def test_who_waits_as_told_is_answered(gaps: list[float]) -> None:
    limits, now = Limits(), 0.0
    for gap in gaps:
        now += gap
        seconds = limits.wait("a", now, per_s=3, all_per_s=1e9)
        if seconds > 0:
            now += seconds + 1e-6
            assert limits.wait("a", now, per_s=3, all_per_s=1e9) == 0


def test_one_client_does_not_use_up_anothers_share_and_all_together_have_a_bound() -> None:
    limits = Limits()
    assert [limits.wait("a", 0, per_s=2, all_per_s=3) == 0 for _ in range(5)] == [True] * 4 + [False]
    assert [limits.wait("b", 0, per_s=2, all_per_s=3) == 0 for _ in range(3)] == [True, True, False]


def test_memory_is_bounded_by_the_clients_kept() -> None:
    limits, failures = Limits(), Failures()
    for number in range(3000):
        limits.wait(str(number), 0, per_s=1, all_per_s=1e9)
        failures.failed(str(number), 0)
    assert len(limits._clients) == len(failures._clients) == 1024


def test_ten_wrong_tokens_and_then_one_each_ten_seconds() -> None:
    failures, now = Failures(), 0.0
    for _ in range(10):
        assert failures.wait("a", now) == 0
        failures.failed("a", now)
    assert 0 < failures.wait("a", now) <= 10
    assert failures.wait("b", now) == 0
    assert failures.wait("a", 10.1) == 0
