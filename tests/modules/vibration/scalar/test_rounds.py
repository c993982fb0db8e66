"""A round names no sensor twice, and rounds keep each sensor's order."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from modules.vibration.scalar.rounds import Rounds


@given(st.lists(st.integers(0, 6), max_size=80))
def test_rounds_are_distinct_complete_and_in_order(sensors: list[int]) -> None:
    rows = np.array(sensors, dtype=np.intp)
    rounds = [np.arange(rows.size) if part is None else part for part in Rounds().split(rows, 7)]
    assert sorted(np.concatenate(rounds).tolist()) == list(range(rows.size))
    for part in rounds:
        assert np.unique(rows[part]).size == part.size
    for sensor in range(7):
        order = [place for part in rounds for place in part.tolist() if rows[place] == sensor]
        assert order == sorted(order)
