"""The head: learns, weighs labels the same, stays near home where samples say nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.federated.head import CLIP, Head, Pace, Scale, balance, learnt, softmax

SEEDS = st.integers(0, 2**32 - 1)


def blobs(seed: int, count: int = 40, features: int = 5, labels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = np.arange(count) % labels
    return random.normal(0, 0.5, (count, features)) + 2 * np.eye(labels, features)[truth], truth


def home(features: int = 5, labels: int = 3) -> Head:
    return Head(np.zeros((labels, features)), np.zeros(labels))


def loss(head: Head, rows: np.ndarray, truth: np.ndarray, pull: float) -> float:
    chances = softmax(head.scores(rows))[np.arange(len(truth)), truth]
    return float(-(balance(truth) * np.log(chances)).sum() + pull / 2 * (head.weight**2).sum())


@given(SEEDS, st.floats(0.1, 50))
def test_learning_lowers_the_loss_whatever_the_scale_of_the_features(seed: int, scale: float) -> None:
    rows, truth = blobs(seed)
    rows = rows * scale
    pace = Pace(steps=30, pull=0.01)
    before, after = home(), learnt(home(), home(), rows, truth, pace)
    assert loss(after, rows, truth, 0.01) < 0.9 * loss(before, rows, truth, 0.01)
    assert after.sound(before)


@given(SEEDS)
def test_a_label_weighs_the_same_whatever_its_number(seed: int) -> None:
    rows, truth = blobs(seed)
    many = np.concatenate([rows, np.repeat(rows[truth == 0], 9, axis=0)])
    said = np.concatenate([truth, np.zeros(len(many) - len(rows), np.int64)])
    one, other = (learnt(home(), home(), *each, Pace()) for each in ((rows, truth), (many, said)))
    assert np.allclose(one.weight, other.weight, atol=1e-8)
    assert balance(said).sum() == pytest.approx(1.0)


def test_a_strong_pull_keeps_the_head_at_home_and_none_lets_it_go() -> None:
    rows, truth = blobs(1)
    far, near = (learnt(home(), home(), rows, truth, Pace(steps=50, pull=pull)) for pull in (0.0, 100.0))
    assert np.abs(near.weight).max() < 0.01
    assert np.abs(far.weight).max() > 0.1


def test_nothing_is_learnt_from_nothing() -> None:
    with pytest.raises(ValueError, match="nothing to learn from"):
        learnt(home(), home(), np.empty((0, 5)), np.empty(0, np.int64), Pace())


def test_the_scale_is_of_the_inputs_that_it_was_made_of_and_bounded_beyond() -> None:
    rows = np.random.default_rng(0).normal(3, [1, 2, 0, 1], (50, 4))
    scale = Scale.of(rows)
    assert np.allclose(scale(rows)[:, [0, 1, 3]].std(axis=0), 1, atol=0.1)
    assert np.abs(scale(rows * 1000)).max() == CLIP  # and the feature that never moved stays finite
    with pytest.raises(ValueError, match="two inputs"):
        Scale.of(rows[:1])


@pytest.mark.parametrize("bad", [Head(np.zeros((2, 5)), np.zeros(3)), Head(np.full((3, 5), np.nan), np.zeros(3))])
def test_a_head_of_another_shape_or_without_numbers_is_not_sound(bad: Head) -> None:
    assert not bad.sound(home())
