from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from modules.cache.turn import Turns


def test_alerts_go_first() -> None:
    turns = Turns({1: 8, 2: 1})
    assert turns.next({0, 1, 2}) == 0
    turns.sent(0, 1_000_000)
    assert turns.next({0, 1, 2}) == 0
    assert turns.next({1, 2}) == 1
    assert turns.next(set()) is None


@settings(deadline=None, max_examples=60)
@given(st.floats(0.5, 20), st.floats(0.5, 20), st.lists(st.integers(1, 5000), min_size=400, max_size=400))
def test_bytes_follow_the_weights_and_nobody_starves(heavy: float, light: float, sizes: list[int]) -> None:
    turns = Turns({1: heavy, 2: light})
    sent: Counter[int] = Counter()
    for size in sizes:
        priority = turns.next({1, 2})
        assert priority is not None
        turns.sent(priority, size)
        sent[priority] += size
    assert abs(sent[1] / heavy - sent[2] / light) <= 5000 / min(heavy, light)


def test_who_was_silent_has_saved_nothing_up() -> None:
    turns = Turns({1: 1, 2: 1})
    for _ in range(100):
        assert turns.next({1}) == 1
        turns.sent(1, 1000)
    order = []
    for _ in range(10):
        priority = turns.next({1, 2})
        assert priority is not None
        order.append(priority)
        turns.sent(priority, 1000)
    assert 4 <= order.count(2) <= 6
