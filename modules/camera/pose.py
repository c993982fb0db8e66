"""How the camera stands against where it stood when the background was learnt: it shakes, or was pushed.

A picture's move to the right and down and its turn are found by robust least squares on the picture's slopes (Lucas
and Kanade 1981), repeated on the moved background. Far moves begin where the correlation of phases (Kuglin and Hines
1975) has its peak. What comes in over the border says nothing of a move: a rail there would bend the pose to its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.float32]

_CAPS: Final = (0.6, 0.4, 0.3, 0.2, 0.15, 0.1, 0.1)  # of a round: what differs by more is no slope's doing
_FARTHEST: Final = (0.1, 0.15)  # of the width; radians
_TURN_UNIT: Final = 50.0  # pixels: a turn counts as the move that it makes so far from the middle
_FINE: Final = (15, 15)  # pixels: texture is finer, light is not
_BORDER: Final = 7  # pixels: the reach of that; so near the border both pictures are half made up
_RIDGE: Final = 1e-6


class Pose(NamedTuple):
    """Pixels of the small picture to the right and down, radians clockwise."""

    right: float = 0.0
    down: float = 0.0
    turn: float = 0.0

    def far_from(self, other: Pose, width: int) -> float:
        """By how many pixels the two differ, at most, in a picture of that width."""
        turned = abs(self.turn - other.turn) * width / 2
        return max(abs(self.right - other.right), abs(self.down - other.down), turned)


HOME: Final = Pose()


def moved(values: Grey, pose: Pose, *, outside: float | None = None) -> Grey:
    """`values` as a camera in that pose sees it; beyond its border `outside`, else the border's own values."""
    if pose == HOME:
        return values
    rows, columns = values.shape
    cos, sin = math.cos(pose.turn), math.sin(pose.turn)
    x, y = (columns - 1) / 2, (rows - 1) / 2
    matrix = np.array(
        [[cos, -sin, x - cos * x + sin * y + pose.right], [sin, cos, y - sin * x - cos * y + pose.down]], np.float32
    )
    border = cv2.BORDER_REPLICATE if outside is None else cv2.BORDER_CONSTANT
    return np.asarray(
        cv2.warpAffine(values, matrix, (columns, rows), borderMode=border, borderValue=outside or 0.0), np.float32
    )


def guesses(logs: Grey, background: Grey, last: Pose) -> Iterator[Pose]:
    """Poses to try, both in logarithms: from the last one, from home, and from where the phases correlate."""
    now, before = _fine(logs), _fine(background)
    for start in dict.fromkeys((last, HOME)):
        yield from _refined(now, before, start)
    window = cv2.createHanningWindow((logs.shape[1], logs.shape[0]), cv2.CV_32F)
    # Copies: OpenCV multiplies the window into the very pictures it is given.
    (right, down), _ = cv2.phaseCorrelate(before.copy(), now.copy(), window)
    yield from _refined(now, before, Pose(right, down))


def _fine(logs: Grey) -> Grey:
    return logs - np.asarray(cv2.blur(logs, _FINE), np.float32)


def _refined(now: Grey, before: Grey, start: Pose) -> Iterator[Pose]:
    """The pose near `start` in which the background looks most like the frame, if there is one in reach."""
    rows, columns = now.shape
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    x, y = x - (columns - 1) / 2, y - (rows - 1) / 2
    inner = np.zeros_like(now)
    inner[_BORDER:-_BORDER, _BORDER:-_BORDER] = 1
    pose = start
    for cap in _CAPS:
        seen = moved(before, pose)
        rest = now - seen
        across = cv2.Sobel(seen, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
        down = cv2.Sobel(seen, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
        terms = np.stack([across, down, (x * down - y * across) / np.float32(_TURN_UNIT)]).reshape(3, -1)
        weight = inner * moved(inner, pose, outside=0) / (1 + np.square(rest / np.float32(cap)))
        weighted = terms * weight.ravel()
        normal = weighted @ terms.T + np.eye(3) * _RIDGE * rest.size
        step = np.linalg.solve(normal, -(weighted @ rest.ravel()))
        pose = Pose(pose.right + step[0], pose.down + step[1], pose.turn + step[2] / _TURN_UNIT)
        if max(abs(pose.right), abs(pose.down)) > _FARTHEST[0] * columns or abs(pose.turn) > _FARTHEST[1]:
            return
    yield pose
