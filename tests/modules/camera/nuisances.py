"""What disturbs a camera's view and is no part: each turns a scene into frames. All from a seed."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.modules.camera.scenes import HEIGHT, RATE_HZ, WIDTH, Box, Grey, Pictures, Scene, Sensor

Seen = tuple[NDArray[np.uint8], list[Box]]

_Y, _X = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)


class Nuisance:
    """The camera's view when nothing disturbs; each kind changes what it names."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def view(self, plane: Grey, _index: int) -> Grey:
        """The part of the scene in the picture; the plane has 20 pixels more on each side."""
        return plane[20:-20, 20:-20]

    def light(self, picture: Grey, _index: int) -> tuple[Grey, float]:
        """The picture as it is lit, and the camera's gain."""
        return picture, 1.0


class Switch(Nuisance):
    """Lamps switched on and off, evenly or from one side, some starting with a flutter, exposure following or not."""

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__(rng)
        self._until, self._level, self._field, self._follow = 0, 1.0, np.ones_like(_X), 1.0
        self._flutter: list[float] = []

    def light(self, picture: Grey, index: int) -> tuple[Grey, float]:
        rng = self.rng
        if index >= self._until:
            self._until = index + int(rng.uniform(3, 25) * RATE_HZ)
            self._level = float(rng.uniform(0.3, 1.6))
            self._field = np.ones_like(_X)
            if rng.random() < 0.5:  # from one side: a lamp beside the line
                at = (rng.uniform(-0.5, 1.5) * WIDTH, rng.uniform(-0.5, 1.5) * HEIGHT)
                reach = rng.uniform(0.6, 1.5) * WIDTH
                near = np.exp(-((_X - at[0]) ** 2 + (_Y - at[1]) ** 2) / (2 * reach**2))
                self._field = np.asarray(0.6 + rng.uniform(0.2, 0.9) * near, np.float32)
            self._flutter = list(rng.uniform(0.3, 1.2, int(rng.integers(2, 9)))) if rng.random() < 0.3 else []
            self._follow = 1.0
            self._camera_follows = rng.random() < 0.4
        level = self._level * (self._flutter.pop() if self._flutter else 1.0)
        lit = picture * self._field * np.float32(level)
        if self._camera_follows:
            self._follow += 0.15 * (110 / max(20.0, float(lit.mean())) - self._follow)
        return lit, float(np.clip(self._follow, 0.5, 3))


class Shadows(Nuisance):
    """Somebody passes between lamp and line, out of the picture; clouds. Shadows of lamps have soft edges."""

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__(rng)
        self._start, self._end = 0, -1

    def light(self, picture: Grey, index: int) -> tuple[Grey, float]:
        rng = self.rng
        if index > self._end:
            self._start = index + int(rng.uniform(0.5, 6) * RATE_HZ)
            self._end = self._start + int(rng.uniform(1, 10) * RATE_HZ)
            self._depth = rng.uniform(0.15, 0.6)
            self._soft = rng.uniform(0.05, 0.2) * WIDTH
            self._half = np.array([rng.uniform(0.04, 0.35), rng.uniform(0.1, 1.0)]) * WIDTH
            angle = rng.uniform(0, 2 * np.pi)
            self._way = np.array([np.cos(angle), np.sin(angle)])
            self._aside = rng.uniform(-0.4, 0.4) * HEIGHT
        if index < self._start:
            return picture, 1.0
        share = (index - self._start) / (self._end - self._start)
        reach = WIDTH * 0.7 + self._half.max() + self._soft
        along = (share * 2 - 1) * reach
        cos, sin = self._way
        x, y = _X - WIDTH / 2, _Y - HEIGHT / 2
        u, v = np.abs(x * cos + y * sin - along), np.abs(-x * sin + y * cos - self._aside)
        dark = _fall((u - self._half[0]) / self._soft) * _fall((v - self._half[1]) / self._soft)
        return np.asarray(picture * (1 - self._depth * dark), np.float32), 1.0


def _fall(distance: NDArray[np.floating]) -> Grey:
    """1 inside, 0 outside, smooth over a width of one."""
    t = np.clip(0.5 - distance, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


class Shake(Nuisance):
    """The mast trembles, in bursts: machines start, lorries pass. Up to 1 % of the picture's width to each side."""

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__(rng)
        self._end, self._size = 0, 0.0

    def view(self, plane: Grey, index: int) -> Grey:
        rng = self.rng
        if index >= self._end:
            self._end = index + int(rng.uniform(1, 15) * RATE_HZ)
            self._size = 0.0 if rng.random() < 0.3 else float(rng.uniform(0.3, 3.2))
        right, down = rng.normal(0, self._size / 2, 2).clip(-self._size, self._size)
        return _cut(plane, right, down, rng.normal(0, 0.02) * self._size)


class Bump(Nuisance):
    """Somebody runs into the mast: it swings for a second and stays where it came to rest."""

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__(rng)
        self._at = np.zeros(3)
        self._from = np.zeros(3)
        self._when = int(rng.uniform(10, 30) * RATE_HZ)

    def view(self, plane: Grey, index: int) -> Grey:
        rng = self.rng
        if index >= self._when + 25:
            self._when = index + int(rng.uniform(8, 35) * RATE_HZ)
        if index == self._when:
            far = rng.uniform(1, 12)
            angle = rng.uniform(0, 2 * np.pi)
            self._from = self._at
            self._at = np.array([far * np.cos(angle), far * np.sin(angle), rng.uniform(-1.5, 1.5)])
        since = (index - self._when) / RATE_HZ
        swing = 0.0 if since < 0 else np.exp(-3 * since) * np.cos(2 * np.pi * 3 * since)
        right, down, turn = self._at + swing * (self._from - self._at)
        return _cut(plane, right, down, turn)


def _cut(plane: Grey, right: float, down: float, turn: float) -> Grey:
    """The view of a camera that is moved by so many pixels and turned by so many degrees."""
    matrix = cv2.getRotationMatrix2D((20 + WIDTH / 2, 20 + HEIGHT / 2), turn, 1.0)
    matrix[:, 2] += np.array([right - 20, down - 20])
    view = cv2.warpAffine(plane, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(view, np.float32)


class Rain(Nuisance):
    """Streaks between camera and line, in showers from drizzle to downpour."""

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__(rng)
        self._end, self._drops, self._slant, self._wanted = 0, 0.0, 0.0, 0.0

    def light(self, picture: Grey, index: int) -> tuple[Grey, float]:
        rng = self.rng
        if index >= self._end:
            self._end = index + int(rng.uniform(10, 60) * RATE_HZ)
            self._wanted = 0.0 if rng.random() < 0.2 else float(rng.uniform(5, 120))
            self._slant = float(rng.normal(0, 0.2))
        self._drops += 0.02 * (self._wanted - self._drops)
        count = int(rng.poisson(self._drops))
        streaks = np.zeros((HEIGHT, WIDTH), np.float32)
        x, y = rng.uniform(-10, WIDTH + 10, count), rng.uniform(-30, HEIGHT, count)
        length, bright = rng.uniform(6, 35, count), rng.uniform(0.1, 0.45, count)
        for each in range(count):
            end = (int(x[each] + self._slant * length[each]), int(y[each] + length[each]))
            wide = 2 if rng.random() < 0.05 else 1
            cv2.line(streaks, (int(x[each]), int(y[each])), end, float(bright[each]), wide, cv2.LINE_AA)
        soft = cv2.GaussianBlur(streaks, (3, 3), 0)
        return np.asarray(picture + soft * (190 - picture), np.float32), 1.0


class Insects(Nuisance):
    """Flies over the line, moths past the lens (large, blurred, gone in a moment), a fly that walks on the glass."""

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__(rng)
        self._flies: list[list[float]] = []

    def light(self, picture: Grey, _index: int) -> tuple[Grey, float]:
        rng = self.rng
        if rng.random() < 0.04 and len(self._flies) < 5:
            self._flies.append(self._fly())
        veil = np.zeros((HEIGHT, WIDTH), np.float32)
        for fly in list(self._flies):
            x, y, angle, speed, radius, wander, left = fly
            steps = max(1, int(speed / max(radius, 1)))  # it moves while the shutter is open
            for step in range(steps):
                part = step / steps * 0.4
                at = (int(16 * (x + np.cos(angle) * speed * part)), int(16 * (y + np.sin(angle) * speed * part)))
                cv2.circle(veil, at, int(16 * radius), 1.0, -1, cv2.LINE_AA, 4)
            angle += rng.normal(0, wander)
            x, y, left = x + np.cos(angle) * speed, y + np.sin(angle) * speed, left - 1
            fly[:] = [x, y, angle, speed, radius, wander, left]
            if left <= 0 or not (-40 < x < WIDTH + 40 and -40 < y < HEIGHT + 40):
                self._flies.remove(fly)
        soft = cv2.GaussianBlur(veil, (0, 0), 1.2)
        return np.asarray(picture * (1 - 0.75 * soft), np.float32), 1.0

    def _fly(self) -> list[float]:
        rng = self.rng
        border = rng.uniform(0, 2 * np.pi)
        x, y = WIDTH * (0.5 + 0.55 * np.cos(border)), HEIGHT * (0.5 + 0.55 * np.sin(border))
        inwards = border + np.pi + rng.normal(0, 0.5)
        kind = rng.random()
        if kind < 0.7:
            return [x, y, inwards, rng.uniform(4, 40), rng.uniform(1, 3.5), rng.uniform(0.2, 0.9), 80]
        if kind < 0.85:  # a moth: at 10 frames a second it is seen once or twice
            return [x, y, inwards, rng.uniform(110, 250), rng.uniform(5, 18), 0.3, 5]
        x, y = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT)  # on the glass: never larger than a thousandth
        return [x, y, inwards, rng.uniform(0, 2), rng.uniform(1.5, 4.0), 0.3, rng.uniform(50, 400)]


class Dusk(Nuisance):
    """Ten minutes from day to night and ten back, the camera's gain following in steps, noise with it."""

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__(rng)
        self._phase = rng.uniform(0, 2 * np.pi)
        self._gain = 1.0

    def light(self, picture: Grey, index: int) -> tuple[Grey, float]:
        turn = 2 * np.pi * index / (20 * 60 * RATE_HZ)
        level = np.exp(-1.2 + 1.2 * np.cos(turn))  # 1 to 0.09
        wanted = min(6.0, 1 / level)
        if not 0.8 < wanted / self._gain < 1.25:  # cameras step, with some play
            self._gain = wanted
        low = 1 + 0.3 * np.cos(turn) * (_X / WIDTH - 0.5)  # the sun goes round
        return np.asarray(picture * level * low, np.float32), self._gain


class Flicker(Nuisance):
    """Mains lamps under a rolling shutter: bands that wander, and a beat of the whole picture."""

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__(rng)
        self._end = 0
        self._phase = 0.0

    def light(self, picture: Grey, index: int) -> tuple[Grey, float]:
        rng = self.rng
        if index >= self._end:  # another lamp, another exposure
            self._end = index + int(rng.uniform(30, 120) * RATE_HZ)
            self._depth, self._beat = rng.uniform(0.02, 0.12), rng.uniform(0, 0.06)
            self._period, self._drift = rng.uniform(0.4, 2.5) * HEIGHT, rng.uniform(0.02, 3.0)
        self._phase += self._drift
        wave = 1 + self._depth * np.sin(2 * np.pi * _Y / self._period + self._phase)
        beat = 1 + self._beat * np.sin(0.7 * self._phase)
        return np.asarray(picture * wave * beat, np.float32), 1.0


class Still(Nuisance):
    """Nothing but the sensor's noise."""


KINDS: dict[str, type[Nuisance]] = {
    "still": Still,
    "light switched": Switch,
    "shadows": Shadows,
    "shake": Shake,
    "rain": Rain,
    "insects": Insects,
    "dusk": Dusk,
    "bump": Bump,
    "flicker": Flicker,
}


def frames(kind: str, seed: int, pictures: Pictures, count: int, *, parts: bool, begin: int = 0) -> Iterator[Seen]:
    """`count` frames of one scene under one nuisance, at RATE_HZ, with the parts that are in each.

    `begin` is the first frame's place in the nuisance's own time: dusk takes its twenty minutes.
    """
    number = list(KINDS).index(kind)
    scene = Scene(np.random.default_rng((seed, number, 0)), pictures, parts=parts)
    nuisance = KINDS[kind](np.random.default_rng((seed, number, 1)))
    sensor = Sensor(np.random.default_rng((seed, number, 2)))
    for index in range(count):
        plane, boxes = scene.look(index)
        lit, gain = nuisance.light(nuisance.view(plane, begin + index), begin + index)
        yield sensor.expose(lit, gain), boxes
