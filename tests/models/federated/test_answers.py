"""What the server believes: any odd answer is none, whoever goes far is left out, honest ones stay."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.federated.answers import FARTHEST, MOST_EXAMPLES, fault, too_far
from models.federated.head import Head

HOME = Head(np.zeros((3, 5)), np.zeros(3))
GOOD = {"weight": np.ones((3, 5)), "bias": np.ones(3)}
ONE = {"num-examples": 12}


def test_a_head_and_a_count_are_an_answer() -> None:
    assert fault(GOOD, ONE, HOME) == ""


@pytest.mark.parametrize(
    ("arrays", "counts", "why"),
    [
        ({**GOOD, "weight": np.ones((3, 6))}, ONE, "other shapes"),
        ({**GOOD, "bias": np.ones(4)}, ONE, "other shapes"),
        ({**GOOD, "weight": np.full((3, 5), np.inf)}, ONE, "other shapes, or numbers that are none"),
        ({**GOOD, "bias": np.array([0.0, np.nan, 0.0])}, ONE, "other shapes, or numbers that are none"),
        ({**GOOD, "samples": np.ones((40, 5))}, ONE, "more, or less"),
        ({"weight": GOOD["weight"]}, ONE, "more, or less"),
        (GOOD, {}, "more, or less"),
        (GOOD, {**ONE, "loss": 0.1}, "more, or less"),
        (GOOD, {"num-examples": 0}, "0 samples"),
        (GOOD, {"num-examples": MOST_EXAMPLES + 1}, "100001 samples"),
        (GOOD, {"num-examples": 12.5}, "12.5 samples"),
    ],
)
def test_what_is_no_answer_is_said(arrays: dict[str, np.ndarray], counts: dict[str, object], why: str) -> None:
    assert why in fault(arrays, counts, HOME)


def at(distance: float, random: np.random.Generator, start: Head) -> Head:
    way = random.normal(size=18)
    way *= distance / np.linalg.norm(way)
    return Head(start.weight + way[:15].reshape(3, 5), start.bias + way[15:])


@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.floats(0.5, 2.0), min_size=2, max_size=8),
    st.floats(4 * FARTHEST, 1e30),
)
def test_one_that_goes_far_is_left_out_and_nobody_else(seed: int, honest: list[float], far: float) -> None:
    random = np.random.default_rng(seed)
    start = at(3.0, random, HOME)
    heads = [at(each, random, start) for each in [*honest, far]]
    assert too_far(heads, start) == [False] * len(honest) + [True]


def test_nobody_is_too_far_where_there_is_nobody() -> None:
    assert too_far([], HOME) == []
