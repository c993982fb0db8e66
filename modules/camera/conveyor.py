"""A rendered conveyor: ground ferrite tiles passing a camera, some with a blowhole or a crack.

It gives the default line something to see where there is no camera. The tiles copy what real ground tiles show:
fine vertical grinding lines, uneven light across the curve, dark blowholes and hairline cracks. Everything follows
from the seed, so a run can be repeated, and each part's name tells what was drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from modules.camera.frame import Picture

WIDTH, HEIGHT = 640, 480
TILE_WIDTH, TILE_HEIGHT = 240, 340
LEAD = 400  # pixels of empty belt before the first tile: the gate learns its background from it
PITCH = 1040  # pixels of belt from one tile to the next: the belt lies empty for some frames between two tiles


@dataclass(frozen=True, slots=True)
class Part:
    """One tile on the belt. ``defect`` is None, ``blowhole`` or ``crack``."""

    number: int
    defect: str | None

    @property
    def name(self) -> str:
        """What the part is called in messages, for example ``part-000012-crack``."""
        return f"part-{self.number:06d}-{self.defect or 'ok'}"


def part(seed: int, number: int, defect_share: float) -> Part:
    """The ``number``-th part of the belt with this seed; the share of defective parts lies between 0 and 1."""
    random = np.random.default_rng((seed, number, 0))
    if random.random() >= defect_share:
        return Part(number, None)
    return Part(number, "blowhole" if random.random() < 0.5 else "crack")


@lru_cache(maxsize=4)
def tile(seed: int, what: Part) -> NDArray[np.uint8]:
    """The tile's grey picture, (TILE_HEIGHT, TILE_WIDTH) uint8."""
    random = np.random.default_rng((seed, what.number, 1))
    lines = cv2.GaussianBlur(random.normal(0, 1, (1, TILE_WIDTH)).astype(np.float32), (3, 1), 0)
    streaks = cv2.GaussianBlur(random.normal(0, 1, (TILE_HEIGHT, TILE_WIDTH)).astype(np.float32), (1, 41), 0)
    grain = random.normal(0, 2.0, (TILE_HEIGHT, TILE_WIDTH)).astype(np.float32)
    across = np.linspace(-1, 1, TILE_WIDTH, dtype=np.float32)
    light = 100 + 25 * np.cos((across - random.uniform(-0.6, 0.6)) * 1.6)
    picture = light[None, :] + 5 * lines + 22 * streaks + grain
    if what.defect is not None:
        mask = _blowhole(random) if what.defect == "blowhole" else _crack(random)
        picture *= 1 - 0.72 * cv2.GaussianBlur(mask, (3, 3), 0)
    return np.asarray(np.clip(picture, 0, 255), np.uint8)


def _blowhole(random: np.random.Generator) -> NDArray[np.float32]:
    mask = np.zeros((TILE_HEIGHT, TILE_WIDTH), np.float32)
    centre = (int(random.uniform(40, TILE_WIDTH - 40)), int(random.uniform(40, TILE_HEIGHT - 40)))
    axes = (int(random.uniform(9, 16)), int(random.uniform(5, 8)))
    cv2.ellipse(mask, centre, axes, random.uniform(-40, 40), 0, 360, 1.0, -1, cv2.LINE_AA)
    return mask


def _crack(random: np.random.Generator) -> NDArray[np.float32]:
    mask = np.zeros((TILE_HEIGHT, TILE_WIDTH), np.float32)
    x, y = random.uniform(60, TILE_WIDTH - 60), random.uniform(20, 60)
    points = [(x, y)]
    for _ in range(int(random.integers(8, 14))):
        x, y = x + random.normal(0, 5), y + random.uniform(14, 22)
        points.append((x, min(y, TILE_HEIGHT - 10)))
    cv2.polylines(mask, [np.array(points, np.int32)], isClosed=False, color=1.0, thickness=3, lineType=cv2.LINE_AA)
    return mask


class Belt:
    """The camera's view of the belt, frame by frame; pure."""

    def __init__(self, *, seed: int = 1, defect_share: float = 0.25, pixels_per_frame: float = 40.0) -> None:
        self._seed = seed
        self._share = defect_share
        self._speed = pixels_per_frame
        random = np.random.default_rng((seed, 0, 2))
        self._empty = np.clip(random.normal(38, 3, (HEIGHT, WIDTH)), 0, 255).astype(np.uint8)
        self._empty[: (HEIGHT - TILE_HEIGHT) // 2 - 20] = 20
        self._empty[(HEIGHT + TILE_HEIGHT) // 2 + 20 :] = 20

    def frame(self, index: int) -> tuple[Picture, Part | None]:
        """The ``index``-th frame, (HEIGHT, WIDTH, 3) uint8, and the part that is wholly in view, if any."""
        belt = self._empty.copy()
        travelled = index * self._speed - LEAD
        top = (HEIGHT - TILE_HEIGHT) // 2
        seen = None
        first = max(0, int((travelled - WIDTH - TILE_WIDTH) // PITCH))
        for number in range(first, int(travelled // PITCH) + 1):
            left = round(travelled - number * PITCH) - TILE_WIDTH
            if left >= WIDTH or left + TILE_WIDTH <= 0:
                continue
            what = part(self._seed, number, self._share)
            start, end = max(0, left), min(WIDTH, left + TILE_WIDTH)
            belt[top : top + TILE_HEIGHT, start:end] = tile(self._seed, what)[:, start - left : end - left]
            if left >= 0 and left + TILE_WIDTH <= WIDTH:
                seen = what
        return np.asarray(cv2.cvtColor(belt, cv2.COLOR_GRAY2BGR), np.uint8), seen
