"""A view that is being learnt: what the camera sees when nothing passes, from frames in which things may pass.

A line does not stand still because its camera begins. Of each pixel the value counts around which the frames lie
closest together, so that parts leave nothing where they cover the belt for less than half of the time, and parts with
a surface of their own not even then. How long parts take to pass is not known: where the frames do not agree on one
view, twice as many are looked at.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modules.camera.background import Grey


class Settling:
    """Small grey pictures of a view, until they show it: `still` of them in which nothing moved, or `first` of any.

    `longest` is how many there are at most.
    """

    def __init__(self, still: int, first: int, longest: int) -> None:
        self._wanted, self._enough, self._longest = still, first, longest
        self._still: list[Grey] = []
        self.frames: list[Grey] = []

    def add(self, small: Grey, *, still: bool) -> None:
        """The next frame."""
        self.frames.append(small)
        if still:
            self._still.append(small)

    @property
    def stands(self) -> bool:
        """Whether the view stood still, or there is no more time to wait for that."""
        return len(self._still) >= self._wanted or len(self.frames) >= self._longest

    @property
    def due(self) -> bool:
        """Whether it is time to look what the frames have in common."""
        return self.stands or len(self.frames) >= self._enough

    def view(self) -> Grey:
        """What the still frames show, or else what all have in common."""
        if len(self._still) >= self._wanted:
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
