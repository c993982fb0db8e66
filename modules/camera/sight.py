"""What is wrong with the camera itself, told from its pictures: black, covered, frozen. Pure.

Black: next to nothing in the picture is brighter than the darkest grey. Covered: hardly any detail is left, and what is
left has nothing to do with the scene as it was learnt; a picture of one even grey is covered whatever was learnt. An
empty belt is neither: its surroundings stay. Frozen: the same picture to the last bit; the noise of a real sensor never
repeats, a hung camera or recorder does.

A trouble is told when it has lasted, and ends with the first picture that shows none of it clearly.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from modules.camera.frame import Picture

SMALL = (64, 36)  # the size that pictures are judged at
BLACK_LEVEL = 34.0  # grey levels: video's own black is 16 and a covered sensor's noise lies a few levels above it
EVEN = 2.5  # grey levels between neighbours and over the picture: less is no scene
COVERED_DETAIL, COVERED_LIKENESS = 0.5, 0.5
LEARN_S = 120.0  # how fast the scene is learnt, once it is known at all
KNOWN_LOOKS = 20


@dataclass(frozen=True, slots=True)
class Patience:
    """For how many seconds each trouble must last before it is told; 0 switches it off."""

    black_s: float = 10.0
    covered_s: float = 20.0
    frozen_s: float = 60.0


class Sight:
    """Looks at one camera's pictures, a few a second at most."""

    def __init__(self, patience: Patience = Patience()) -> None:
        self._patience = {"black": patience.black_s, "covered": patience.covered_s, "frozen": patience.frozen_s}
        self._since: dict[str, float] = {}
        self._last: NDArray[np.uint8] | None = None
        self._scene: NDArray[np.float32] | None = None
        self._detail = 0.0
        self._looks = 0
        self._at = 0.0
        self.trouble: str | None = None
        """``black``, ``covered``, ``frozen`` or None: what has lasted long enough to be told."""

    @property
    def text(self) -> str | None:
        """The trouble in words, and what to do."""
        return None if self.trouble is None else ADVICE[self.trouble]

    def look(self, picture: Picture, now: float) -> bool:
        """Take in a picture, grey or in colour, at ``now`` (seconds, monotonic); whether the trouble changed."""
        thin = picture[:: max(1, picture.shape[0] // 144), :: max(1, picture.shape[1] // 256)]
        same = self._last is not None and thin.shape == self._last.shape and bool(np.array_equal(thin, self._last))
        self._last = thin.copy()
        small = cv2.resize(thin, SMALL, interpolation=cv2.INTER_AREA)
        grey = np.asarray(small if small.ndim == 2 else cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.float32)
        detail, black = _detail(grey), float(np.percentile(grey, 98)) < BLACK_LEVEL
        covered = not black and self._covered(grey, detail)
        signs = {"black": black, "covered": covered, "frozen": same and not black and not covered}
        if not black and not covered and not same:
            self._learn(grey, detail, now)
        return self._weigh(signs, now)

    def _covered(self, grey: NDArray[np.float32], detail: float) -> bool:
        if detail < EVEN and float(grey.std()) < EVEN:
            return True
        if self._scene is None or self._looks < KNOWN_LOOKS:
            return False
        return detail < COVERED_DETAIL * self._detail and _likeness(grey, self._scene) < COVERED_LIKENESS

    def _learn(self, grey: NDArray[np.float32], detail: float, now: float) -> None:
        if self._scene is None:
            self._scene, self._detail = grey, detail
        self._looks += 1
        rate = max(1 / self._looks, 1 - float(np.exp(-max(now - self._at, 0.0) / LEARN_S)))
        self._scene = self._scene + rate * (grey - self._scene)
        self._detail += rate * (detail - self._detail)
        self._at = now

    def _weigh(self, signs: dict[str, bool], now: float) -> bool:
        told = None
        for name, shown in signs.items():
            if not shown:
                self._since.pop(name, None)
                continue
            since, patience = self._since.setdefault(name, now), self._patience[name]
            if patience > 0 and now - since >= patience:
                told = name
        changed, self.trouble = told != self.trouble, told
        return changed


ADVICE = {
    "black": "the picture is black: is there light, and is the lens cap off?",
    "covered": "the picture shows hardly anything: is the lens covered, dirty or out of focus?",
    "frozen": "the same picture again and again: restart the camera",
}


def _detail(grey: NDArray[np.float32]) -> float:
    """Mean difference between neighbours, grey levels."""
    return float(np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean())


def _likeness(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Correlation of two pictures, -1 to 1; 0 where one of them is even."""
    a, b = one - one.mean(), other - other.mean()
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return 0.0 if size == 0 else float((a * b).sum()) / size
