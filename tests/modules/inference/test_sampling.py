"""Which inputs go up as samples: the remarkable ones and a few others, never more than the rates allow."""

from hypothesis import given
from hypothesis import strategies as st

from modules.common.messages import new_id
from modules.inference.sampling import Rates, Sampling, reason


def test_a_remarkable_input_says_why() -> None:
    assert reason("a", uncertain=True, odd=True, random_share=0.0) == "odd"
    assert reason("a", uncertain=True, odd=False, random_share=0.0) == "uncertain"
    assert reason("a", uncertain=False, odd=False, random_share=1.0) == "random"
    assert reason("a", uncertain=False, odd=False, random_share=0.0) is None


def test_chance_is_fair_and_the_same_for_an_input_that_is_handled_again() -> None:
    ids = [new_id(1_700_000_000_000 + n) for n in range(4000)]
    drawn = [reason(each, uncertain=False, odd=False, random_share=0.1) for each in ids]
    assert 320 < drawn.count("random") < 480
    assert drawn == [reason(each, uncertain=False, odd=False, random_share=0.1) for each in ids]


def test_all_sources_together_stay_under_the_bound() -> None:
    sampling, rates = Sampling(), Rates(per_hour=60.0, source_per_hour=20.0)
    taken = sum(sampling.allows(f"camera/{n % 500}", n * 0.36, rates) for n in range(20_000))
    assert 110 <= taken <= 131  # two hours at 60, and what a bucket holds


def test_one_source_leaves_the_others_their_share() -> None:
    sampling, rates = Sampling(), Rates(per_hour=60.0, source_per_hour=20.0)
    dirty = sum(sampling.allows("camera/dirty", second, rates) for second in range(3600))
    assert 19 <= dirty <= 24
    assert sampling.allows("camera/clean", 3600.0, rates)


def test_a_rate_of_nothing_keeps_nothing() -> None:
    for rates in (Rates(per_hour=0.0), Rates(source_per_hour=0.0)):
        assert not any(Sampling().allows("a", float(second), rates) for second in range(5))


@given(
    st.lists(st.tuples(st.integers(0, 3), st.floats(0, 600)), max_size=300),
    st.floats(0, 5000),
    st.floats(0, 5000),
)
def test_no_hour_brings_more_than_its_rate_and_a_full_bucket(
    events: list[tuple[int, float]], per_hour: float, source_per_hour: float
) -> None:
    sampling, now = Sampling(), 0.0
    rates = Rates(per_hour=per_hour, source_per_hour=source_per_hour)
    taken: list[tuple[int, float]] = []
    for source, pause in events:
        now += pause
        if sampling.allows(str(source), now, rates):
            taken.append((source, now))
    for wanted in (None, 0, 1, 2, 3):
        rate = per_hour if wanted is None else source_per_hour
        mine = [time for which, time in taken if wanted in (None, which)]
        for first in mine:
            within = sum(first <= time < first + 3600 for time in mine)
            assert within <= rate + max(1.0, rate / 6) + 1
