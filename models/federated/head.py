"""The head: a linear layer with softmax on the features of a network that stays as it is. Pure; no chance in it.

    features -> clip((features - mean) / deviation, -5, 5) -> weight @ . + bias -> softmax

`mean` and `deviation` are no one's secret: they come of the golden cases of the package, which every gateway has. A
gateway takes a few whole-batch gradient steps from the head of the round. Labels weigh the same whatever their number,
for a line has a thousand good parts for each bad one; and the head is drawn back to where the package's own stands, so
that what few samples say nothing about stays as it was.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CLIP: Final = 5.0
MOST_STEPS: Final = 1000
LEAST: Final = 0.2  # of the median deviation: a feature that hardly moves in a few cases may still move on the line


@dataclass(frozen=True, slots=True)
class Scale:
    """What makes features comparable; shapes (features,)."""

    mean: Floats
    deviation: Floats

    @classmethod
    def of(cls, features: Floats) -> Scale:
        """Of the features of some inputs, shape (n, features). Raises ValueError for fewer than two."""
        if len(features) < 2:
            raise ValueError("a scale needs two inputs at least")
        deviation = features.std(axis=0)
        least = max(LEAST * float(np.median(deviation)), 1e-6)
        return cls(features.mean(axis=0), np.maximum(deviation, least))

    def __call__(self, features: Floats) -> Floats:
        """The same features as the head takes them."""
        return np.clip((features - self.mean) / self.deviation, -CLIP, CLIP)


@dataclass(frozen=True, slots=True)
class Head:
    """`weight` has shape (labels, features), `bias` (labels,)."""

    weight: Floats
    bias: Floats

    def scores(self, scaled: Floats) -> Floats:
        """Scores before softmax, shape (n, labels), of scaled features (n, features)."""
        return scaled @ self.weight.T + self.bias

    def sound(self, like: Head) -> bool:
        """Whether it has the shapes of another and all of it is finite."""
        return (
            self.weight.shape == like.weight.shape
            and self.bias.shape == like.bias.shape
            and bool(np.isfinite(self.weight).all() and np.isfinite(self.bias).all())
        )

    def away(self, other: Head) -> float:
        """How far it is from another: the Euclidean distance over all numbers."""
        return float(np.hypot(np.linalg.norm(self.weight - other.weight), np.linalg.norm(self.bias - other.bias)))


@dataclass(frozen=True, slots=True)
class Pace:
    """How a gateway learns in one round."""

    steps: int = 20
    pull: float = 0.01  # how strongly the head is drawn back to the package's own

    def possible(self) -> bool:
        """Whether a gateway learns at this pace."""
        return 1 <= self.steps <= MOST_STEPS and 0 <= self.pull < math.inf


def learnt(start: Head, home: Head, scaled: Floats, truth: NDArray[np.int64], pace: Pace) -> Head:
    """The head after some steps on these samples, from `start`, drawn to `home`.

    `scaled` (n, features), `truth` (n,) positions of labels. Raises ValueError where there is no sample.
    """
    if not len(truth):
        raise ValueError("nothing to learn from")
    wanted = np.zeros((len(truth), len(start.bias)))
    wanted[np.arange(len(truth)), truth] = 1.0
    share = balance(truth)[:, None]
    rows = np.hstack([scaled, np.ones((len(scaled), 1))])
    # Softmax bends at most half as much as its inputs are long (Boehning, Ann. Inst. Statist. Math. 44, 1992).
    rate = 1.0 / (0.5 * float(np.linalg.norm(np.sqrt(share) * rows, 2)) ** 2 + pace.pull)
    back = _joined(home)
    back[:, -1] = 0.0  # the bias is free
    here = ahead = _joined(start)
    for step in range(pace.steps):
        drawn = pace.pull * (ahead - back)
        drawn[:, -1] = 0.0
        next_ = ahead - rate * ((share * (softmax(rows @ ahead.T) - wanted)).T @ rows + drawn)
        ahead = next_ + step / (step + 3) * (next_ - here)  # Nesterov's way of going on in the same direction
        here = next_
    return Head(here[:, :-1], here[:, -1])


def _joined(head: Head) -> Floats:
    return np.hstack([head.weight, head.bias[:, None]])


def balance(truth: NDArray[np.int64]) -> Floats:
    """The weight of each sample: 1 in all, the same for every label that is there."""
    labels, of, counts = np.unique(truth, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / (len(labels) * counts[of]), np.float64)


def softmax(scores: Floats) -> Floats:
    """Probabilities by row."""
    grown = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=1, keepdims=True), np.float64)
