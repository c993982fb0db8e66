from hypothesis import given
from hypothesis import strategies as st

from modules.cache.bucket import Bucket


def test_no_limit_never_waits() -> None:
    bucket = Bucket(0)
    bucket.take(1 << 40, 1.0)
    assert bucket.wait(1.0) == 0


@given(st.integers(100, 100_000), st.lists(st.tuples(st.integers(1, 5000), st.floats(0, 0.5)), min_size=1, max_size=60))
def test_over_any_stretch_no_more_than_the_rate_allows(rate: int, sends: list[tuple[int, float]]) -> None:
    bucket, now, history = Bucket(rate), 0.0, []
    for size, idle in sends:
        now += idle
        now += bucket.wait(now)
        bucket.take(size, now)
        history.append((now, size))
    for start in range(len(history)):
        begun = history[start][0]
        for end in range(start, len(history)):
            total = sum(size for _, size in history[start : end + 1])
            assert total <= rate * (history[end][0] - begun + 1) + history[end][1] + 1


def test_a_debt_is_waited_out() -> None:
    bucket = Bucket(1000)
    bucket.wait(0.0)
    bucket.take(3000, 0.0)
    assert bucket.wait(0.0) == 2.0
    assert bucket.wait(1.5) == 0.5
    assert bucket.wait(2.0) == 0.0


def test_a_clock_that_stands_or_goes_back_gives_nothing() -> None:
    bucket = Bucket(1000)
    bucket.take(5000, 10.0)
    assert bucket.wait(10.0) == bucket.wait(9.0) == 4.0
