"""A view that is being learnt: what the camera sees when nothing passes, from frames in which things may pass.

A line does not stand still because its camera begins. Of each pixel the value counts around which the frames lie
closest together, so that parts leave nothing where they cover the belt for less than half of the time, and parts with
a surface of their own not even then. How long parts take to pass is not known: where the frames do not agree on one
view, twice as many are looked at.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from modules.camera.background import Background, Compared, Grey
from modules.camera.light import logarithm
from modules.camera.motion import GateRules

_FIRST: Final = 5  # frames, after which what was learnt so far is followed less fast
_FIRST_RATE: Final = 0.5
_RATE: Final = 0.2


class Settling:
    """Small grey pictures of a view, until they show it."""

    def __init__(self, rules: GateRules) -> None:
        self._rules: Final = rules
        self._enough = rules.settle_moving
        self._still: list[Grey] = []
        self.frames: list[Grey] = []

    def learn(self, known: Background, small: Grey, logs: Grey, seen: Compared) -> bool:
        """Learn from the next frame, which `seen` sets beside what was learnt so far; whether the view is known now."""
        if not self.frames:
            known.replace(logs)
        self.add(small, still=seen.count < 2 * self._rules.min_area * small.size)
        known.follow_light(seen, small)
        known.follow(logs, _FIRST_RATE if len(self.frames) <= _FIRST else _RATE)
        known.learn_first_noise(seen.height)
        known.things[:] = 0
        if not self.due:
            return False
        known.replace(logarithm(self.view()))
        if self.stands or self._agree(known):
            return True
        self.longer()
        return False

    def _agree(self, known: Background) -> bool:
        """Whether what was learnt was seen bare, nearly everywhere and most of the time."""
        masks = [known.compare(small, logarithm(small)).mask for small in self.frames]
        doubtful = int(np.count_nonzero(np.mean(masks, axis=0) >= self._rules.doubtful))
        return doubtful < self._rules.min_area * masks[0].size

    def add(self, small: Grey, *, still: bool) -> None:
        """The next frame."""
        self.frames.append(small)
        if still:
            self._still.append(small)

    @property
    def stands(self) -> bool:
        """Whether the view stood still, or there is no more time to wait for that."""
        return len(self._still) >= self._rules.settle or len(self.frames) >= self._rules.longest_settle

    @property
    def due(self) -> bool:
        """Whether it is time to look what the frames have in common."""
        return self.stands or len(self.frames) >= self._enough

    def view(self) -> Grey:
        """What the still frames show, or else what all have in common."""
        if len(self._still) >= self._rules.settle:
            return np.asarray(np.mean(self._still, axis=0), np.float32)
        return _densest(np.sort(self.frames, axis=0))

    def longer(self) -> None:
        """Look at twice as many frames."""
        self._enough *= 2


def _densest(values: NDArray[np.float32]) -> Grey:
    """Of sorted values (n, h, w) the mean of the quarter that lies closest together, within the closest half."""
    for _ in range(2):
        count = -(-len(values) // 2)
        begin = np.argmin(values[count - 1 :] - values[: len(values) - count + 1], axis=0)
        values = np.take_along_axis(values, begin[None] + np.arange(count)[:, None, None], axis=0)
    return np.asarray(values.mean(axis=0), np.float32)
