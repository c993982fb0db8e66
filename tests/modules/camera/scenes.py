"""What a camera over a line would see, rendered frame by frame from a seed: the scene, parts passing, and the sensor.

Belt and parts are made of real pictures where there are any (rolled steel under, ferrite tiles on it), else of drawn
ones, with bolts, rings and plates drawn beside them. What disturbs the view is in nuisances.py. Nothing here is
shared with the gate, and the pictures are split in two folds: the gate was tuned on the even one (seeds below 1,000),
the proof runs on the odd one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.float32]

WIDTH, HEIGHT = 320, 180
RATE_HZ = 10


@dataclass(frozen=True)
class Pictures:
    """Grey pictures for surfaces and for parts. `kind` says where they are from."""

    surfaces: list[Grey]
    parts: list[Grey]
    kind: str


def real_pictures(data: Path, fold: int, count: int = 40) -> Pictures:
    """Every other one of the real pictures, spread evenly over each set."""

    def some(folder: Path, pattern: str) -> list[Grey]:
        files = sorted(folder.rglob(pattern))[fold::2]
        chosen = files[:: max(1, len(files) // count)][:count]
        return [np.asarray(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE), np.float32) for file in chosen]

    return Pictures(
        some(data / "neu_det" / "train", "*.jpg"), some(data / "magnetic_tile" / "train", "*.jpg"), "real pictures"
    )


def drawn_pictures(fold: int, count: int = 16) -> Pictures:
    """The same from noise of several grains, where the real ones are missing."""
    rng = np.random.default_rng((fold, 77))
    surfaces, parts = [], []
    for _ in range(count):
        surfaces.append(_grain(rng, 200, 200, rng.uniform(1, 5), rng.uniform(8, 25), rng.uniform(80, 170)))
        high, wide = int(rng.integers(200, 400)), int(rng.integers(150, 350))
        lines = _grain(rng, 1, wide, 1.5, 8, 0)
        parts.append(np.clip(_grain(rng, high, wide, 2, 12, rng.uniform(60, 160)) + lines, 0, 255).astype(np.float32))
    return Pictures(surfaces, parts, "drawn pictures")


def _grain(rng: np.random.Generator, high: int, wide: int, grain: float, spread: float, mean: float) -> Grey:
    noise = cv2.GaussianBlur(rng.normal(0, 1, (high, wide)).astype(np.float32), (0, 0), grain)
    return np.asarray(mean + spread / (float(noise.std()) + 1e-6) * noise, np.float32).reshape(high, wide)


@dataclass(frozen=True)
class Box:
    """Where a part is in one frame, in pixels; it may reach over the border."""

    number: int
    left: float
    top: float
    width: float
    height: float

    def share_in(self, left: float, top: float, width: float, height: float) -> float:
        """How much of this box lies in that one."""
        across = min(self.left + self.width, left + width) - max(self.left, left)
        down = min(self.top + self.height, top + height) - max(self.top, top)
        return max(0.0, across) * max(0.0, down) / (self.width * self.height)


@dataclass
class Passing:
    """One part on its way: its picture, its outline (0 to 1, soft by a pixel), when it begins and how fast it goes."""

    number: int
    picture: Grey
    outline: Grey
    start: int
    top: int
    speed: float

    def left(self, index: int) -> float:
        """Of its box, in pixels."""
        return float((index - self.start) * self.speed - self.picture.shape[1])


@dataclass
class Scene:
    """An empty line: its surface, what stands round it, and the parts that pass if `parts`."""

    rng: np.random.Generator
    pictures: Pictures
    parts: bool = False
    empty: Grey = field(init=False)
    passing: list[Passing] = field(default_factory=list)
    passed: list[Passing] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._made = 0
        self._speed = float(self.rng.uniform(6, 24))
        self._next = int(self.rng.integers(60, 90))
        self.empty = self._surface()

    def _surface(self) -> Grey:
        rng = self.rng
        surface = self.pictures.surfaces[rng.integers(len(self.pictures.surfaces))]
        zoom = rng.uniform(0.6, 1.6)
        tile = cv2.resize(surface, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
        tile = np.hstack([tile, tile[:, ::-1]])
        tile = np.vstack([tile, tile[::-1]])
        over = (-(-(HEIGHT + 40) // tile.shape[0]), -(-(WIDTH + 40) // tile.shape[1]))
        plane = np.tile(tile, over)[: HEIGHT + 40, : WIDTH + 40]
        contrast = rng.uniform(0.15, 0.7)
        plane = rng.uniform(35, 130) + contrast * (plane - plane.mean())
        high = int(rng.uniform(0.08, 0.16) * HEIGHT)
        for rail in (slice(0, 20 + high), slice(HEIGHT + 20 - high, None)):  # the machine's frame along the belt
            plane[rail] = rng.uniform(20, 200) + 0.3 * (plane[rail] - plane[rail].mean())
        for _ in range(int(rng.integers(2, 7))):  # bolts and labels on it
            at = (int(rng.uniform(0, WIDTH + 40)), int(rng.choice([20 + high // 2, HEIGHT + 20 - high // 2])))
            cv2.circle(plane, at, int(rng.integers(2, 7)), float(rng.uniform(10, 240)), -1, cv2.LINE_AA)
        self.belt = (high + 2, HEIGHT - high - 2)
        return np.asarray(np.clip(plane, 4, 245), np.float32)  # with 20 pixels round it, for a camera that moves

    def look(self, index: int) -> tuple[Grey, list[Box]]:
        """The scene in even light, (HEIGHT + 40, WIDTH + 40), and the parts in it (boxes without that margin)."""
        if not self.parts:
            return self.empty, []
        if index >= self._next:
            self._begin(index)
        picture, boxes = self.empty.copy(), []
        for part in list(self.passing):
            left = part.left(index)
            if left >= WIDTH + 20:
                self.passing.remove(part)
                self.passed.append(part)
                continue
            _lay(picture, part, left)
            boxes.append(Box(part.number, left, part.top, part.picture.shape[1], part.picture.shape[0]))
        return picture, boxes

    def _begin(self, index: int) -> None:
        rng = self.rng
        picture, outline = self._part()
        room = self.belt[1] - self.belt[0] - picture.shape[0]
        top = self.belt[0] + int(rng.uniform(0, max(1, room)))
        under = self.empty[20 + top : 20 + top + picture.shape[0], 20:-20].mean()
        inner = picture[outline > 0.5].mean()
        # A line is lit so that its parts stand out: less than 30 grey levels by day would be called a bad light.
        if abs(inner - under) < 30:
            darker = under > 90 if inner >= under else under >= 60
            picture = picture - inner + under + rng.uniform(30, 60) * (-1 if darker else 1)
        picture = np.asarray(np.clip(picture, 2, 250), np.float32)
        speed = self._speed
        self.passing.append(Passing(self._made, picture, outline, index, top, speed))
        self._made += 1
        gap = rng.uniform(0.15, 2.5) * WIDTH  # short gaps show two parts at once
        self._next = index + int((picture.shape[1] + gap) / speed) + 1

    def _part(self) -> tuple[Grey, Grey]:
        rng = self.rng
        belt = self.belt[1] - self.belt[0]
        if rng.random() < 0.6:
            source = self.pictures.parts[rng.integers(len(self.pictures.parts))]
            high = int(rng.uniform(0.35, 0.9) * belt)
            wide = int(min(high * source.shape[1] / source.shape[0], 0.5 * WIDTH))
            picture = np.asarray(cv2.resize(source, (wide, high), interpolation=cv2.INTER_AREA), np.float32)
            return picture, np.ones_like(picture)
        # A bolt's head, a ring, a plate. None is smaller than the gate's least area (0.004), which it is to leave out.
        side = max(26, int(rng.uniform(0.14, 0.7) * belt))
        picture = np.full((side, side), rng.uniform(20, 230), np.float32)
        picture += np.linspace(-20, 20, side, dtype=np.float32)[None, :] * rng.choice([-1, 1])
        outline = np.zeros((side, side), np.float32)
        centre, radius = (side // 2, side // 2), side // 2 - 1
        kind = rng.integers(3)
        if kind == 0:
            cv2.circle(outline, centre, radius, 1.0, -1, cv2.LINE_AA)
            cv2.circle(outline, centre, radius // 3, 0.0, -1, cv2.LINE_AA)
        elif kind == 1:
            turn = rng.uniform(0, np.pi / 3)
            ring = [turn + step * np.pi / 3 for step in range(6)]
            points = [(centre[0] + radius * np.cos(a), centre[1] + radius * np.sin(a)) for a in ring]
            cv2.fillPoly(outline, [np.array(points, np.int32)], 1.0, cv2.LINE_AA)
        else:
            outline[1:-1, 1:-1] = 1
        picture += _grain(rng, side, side, 1.0, 4.0, 0.0)
        return picture, outline


def _lay(plane: Grey, part: Passing, left: float) -> None:
    """Lay the part on the scene, between pixels where it lies there."""
    high, wide = part.picture.shape
    first = int(np.floor(left))
    rest = left - first
    begin, end = max(-20, first), min(WIDTH + 20, first + wide + 1)
    if end <= begin:
        return
    matrix = np.array([[1, 0, rest], [0, 1, 0]], np.float32)
    outline = cv2.warpAffine(part.outline, matrix, (wide + 1, high))
    picture = cv2.warpAffine(part.picture, matrix, (wide + 1, high), borderMode=cv2.BORDER_REPLICATE)
    inner = slice(begin - first, end - first)
    under = plane[20 + part.top : 20 + part.top + high, 20 + begin : 20 + end]
    under += outline[:, inner] * (picture[:, inner] - under)


class Sensor:
    """Shot noise, read noise and eight bits."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._plane = rng.normal(0, 1, (HEIGHT * 3, WIDTH * 3)).astype(np.float32)
        self._read = float(rng.uniform(1.0, 3.0))
        self._shot = float(rng.uniform(0.02, 0.10))

    def expose(self, light: Grey, gain: float = 1.0) -> NDArray[np.uint8]:
        """What comes out for so much light (0 to 255 and over), amplified: dark scenes are noisy ones."""
        y, x = self._rng.integers(0, HEIGHT * 2), self._rng.integers(0, WIDTH * 2)
        noise = self._plane[y : y + HEIGHT, x : x + WIDTH]
        spread = np.sqrt(self._read**2 + self._shot * np.maximum(light, 0))
        return np.clip((light + spread * noise) * gain, 0, 255).astype(np.uint8)
