"""The server's strategies: a liar moves a robust one no farther than honest gateways go, and the mean anywhere."""

import numpy as np
import pytest

pytest.importorskip("flwr", reason="needs Flower: make federated")

from flwr.app import Array, ArrayRecord, Error, Message, MetricRecord, RecordDict
from hypothesis import given
from hypothesis import strategies as st

from models.federated.head import Head
from models.federated.strategies import NAMES, answer, joined, strategy
from models.federated.strategies import _reply as reply

HOME = Head(np.zeros((3, 5)), np.zeros(3))


def heads(seed: int, count: int) -> list[Head]:
    random = np.random.default_rng(seed)
    return [Head(random.normal(1, 0.1, (3, 5)), random.normal(1, 0.1, 3)) for _ in range(count)]


def flat(head: Head) -> np.ndarray:
    return np.concatenate([head.weight.ravel(), head.bias])


@given(st.integers(0, 2**32 - 1), st.integers(4, 9), st.floats(-4, 4), st.integers(0, 8))
def test_a_liar_that_is_believed_moves_a_robust_head_no_farther_than_honest_ones_go(
    seed: int, honest: int, factor: float, place: int
) -> None:
    good = heads(seed, honest)
    lie = Head(good[0].weight * factor, good[0].bias * factor)
    answers = [(each, 20) for each in good]
    answers.insert(place % (honest + 1), (lie, 100_000))
    low, high = (each(np.stack([flat(head) for head in good]), axis=0) for each in (np.min, np.max))
    for name in ("trimmed", "median"):
        made = flat(joined(name, HOME, HOME, answers))
        assert (made >= low - 1e-5).all()
        assert (made <= high + 1e-5).all()


def test_a_liar_drags_the_mean_as_far_as_it_is_believed() -> None:
    good = heads(1, 4)
    lie = Head(-4 * good[0].weight, -4 * good[0].bias)
    made = flat(joined("mean", HOME, HOME, [(each, 20) for each in [*good, lie]]))
    assert (made < 0.3).all()


@pytest.mark.parametrize("name", NAMES)
def test_of_honest_gateways_every_strategy_makes_about_the_same(name: str) -> None:
    good = heads(2, 5)
    made = flat(joined(name, HOME, HOME, [(each, 20) for each in good]))
    assert np.allclose(made, np.mean([flat(each) for each in good], axis=0), atol=0.15)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_answer_or_too_far_is_left_out_and_said(name: str) -> None:
    good = heads(3, 4)
    wide = Head(np.zeros((3, 6)), np.zeros(3))
    loud = Head(10 * good[0].weight, 10 * good[0].bias)
    empty = Head(np.full((3, 5), np.nan), np.zeros(3))
    numbers = {"weight": np.ones((3, 5)), "bias": np.ones(3)}
    chatty = RecordDict(
        {
            "head": ArrayRecord({key: Array(value) for key, value in numbers.items()}),
            "counts": MetricRecord({"num-examples": 20}),
            "samples": ArrayRecord({"body": Array(np.ones(100))}),
        }
    )
    bad = [answer(wide, 20), answer(loud, 20), answer(empty, 20), chatty]
    replies = [reply(number, each) for number, each in enumerate([*(answer(each, 20) for each in good), *bad], 1)]
    failed = Message(Error(1, "no\x1b[31m samples " + "x" * 9999), reply_to=reply(9, answer(good[0], 1)))
    made = strategy(name, 9, 1, HOME)
    arrays, _ = made.aggregate_train(1, [*replies, failed])
    assert arrays is not None
    assert (made.good, made.examples, len(made.left_out)) == (4, 80, 5)
    for number, why in zip((5, 6, 7, 8), ("other shapes", "too far", "numbers that are none", "samples"), strict=True):
        assert any(f"gateway {number}: " in each and why in each for each in made.left_out)
    assert all(each.isprintable() and len(each) < 300 for each in made.left_out)


def test_too_few_answers_are_no_round() -> None:
    made = strategy("trimmed", 5, 1, HOME)
    assert made.aggregate_train(1, [reply(n, answer(each, 20)) for n, each in enumerate(heads(4, 2), 1)])[0] is None
    assert "2 answers, and 3 are the least" in made.left_out[0]


@pytest.mark.parametrize(
    ("name", "gateways", "liars"), [("trimmed", 2, 1), ("median", 4, 2), ("mean", 0, 0), ("x", 5, 1)]
)
def test_a_promise_that_cannot_be_kept_is_refused(name: str, gateways: int, liars: int) -> None:
    with pytest.raises(ValueError, match=r"needs|no strategy"):
        strategy(name, gateways, liars, HOME)
