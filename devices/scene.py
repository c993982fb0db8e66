"""A camera's view, described in a file: a dark or bright scene, and visitors that walk through it. Pure.

    [scene]
    light = 30                       # grey level of the sky, 0 to 255
    noise = 2.0                      # of the sensor, in grey levels
    rate_hz = 10.0
    visits = [{ at_s = 15.0, lasts_s = 6.0, every_s = 20.0, height = 0.25, warmth = 90 }]

A visitor is an animal of four legs as an infrared lamp shows it: `height` as a share of the picture's, `warmth` in
grey levels above the ground. It crosses the picture in `lasts_s` seconds and comes again every `every_s`.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from devices.signals import Part

WIDTH, HEIGHT = 640, 480
_HORIZON = 0.45
_STRIDE_S = 0.6


class Visit(Part):
    """An animal that walks through the picture."""

    at_s: float = Field(ge=0)
    lasts_s: float = Field(gt=0)
    every_s: float = Field(gt=0)
    height: float = Field(0.25, gt=0.02, le=0.8)
    warmth: float = Field(90, ge=0, le=255)

    @model_validator(mode="after")
    def _over_before_it_comes_again(self) -> Visit:
        if self.lasts_s > self.every_s:
            raise ValueError("lasts_s must not exceed every_s")
        return self

    def progress(self, moment: float) -> float | None:
        """How far across the picture it is, 0 to 1; None while it is not there."""
        if moment < self.at_s:
            return None
        since = math.fmod(moment - self.at_s, self.every_s)
        return since / self.lasts_s if since < self.lasts_s else None


class Scene(Part):
    """What the camera looks at."""

    light: float = Field(30, ge=0, le=255)
    noise: float = Field(2.0, ge=0, le=50)
    rate_hz: float = Field(10.0, gt=0, le=30)
    visits: tuple[Visit, ...] = ()


class View:
    """Renders the scene; the same seed gives the same pictures."""

    def __init__(self, scene: Scene, seed: int) -> None:
        self.scene = scene
        self._seed = seed
        self._empty = _ground(scene, np.random.default_rng((seed, 0)))

    def picture(self, number: int) -> NDArray[np.uint8]:
        """The ``number``-th picture, (HEIGHT, WIDTH) uint8; each has a noise of its own."""
        picture = self._empty.copy()
        for visit in self.scene.visits:
            moment = number / self.scene.rate_hz
            progress = visit.progress(moment)
            if progress is not None:
                _animal(picture, visit, progress, moment)
        random = np.random.default_rng((self._seed, 1, number))
        picture += random.normal(0, self.scene.noise, picture.shape).astype(np.float32)
        return np.asarray(np.clip(picture, 0, 255), np.uint8)


def _ground(scene: Scene, random: np.random.Generator) -> NDArray[np.float32]:
    """Sky, ground with texture, and some trunks."""
    horizon = round(HEIGHT * _HORIZON)
    picture = np.full((HEIGHT, WIDTH), scene.light, np.float32)
    rough = cv2.GaussianBlur(random.normal(0, 1, (HEIGHT - horizon, WIDTH)).astype(np.float32), (0, 0), 3)
    picture[horizon:] = 1.3 * scene.light + 8 + 30 * rough
    for _ in range(7):
        left, width = int(random.integers(0, WIDTH)), int(random.integers(8, 22))
        foot = horizon + int(random.integers(5, 60))
        cv2.rectangle(picture, (left, 0), (left + width, foot), 0.5 * scene.light, -1)
    return np.asarray(cv2.GaussianBlur(picture, (3, 3), 0), np.float32)


def _animal(picture: NDArray[np.float32], visit: Visit, progress: float, moment: float) -> None:
    """Body, head, legs in stride, and an eye that shines."""
    tall = visit.height * HEIGHT
    long = 1.3 * tall
    x = -long + progress * (WIDTH + 2 * long)
    foot = HEIGHT * 0.85
    coat = float(picture[round(HEIGHT * 0.7) :].mean()) + visit.warmth
    body = (round(x), round(foot - 0.62 * tall))
    for leg, phase in enumerate((0.0, 0.5, 0.25, 0.75)):
        hip = round(x + (leg // 2 - 0.5) * 0.75 * long)
        swing = 0.14 * long * math.sin(2 * math.pi * (moment / _STRIDE_S + phase))
        cv2.line(picture, (hip, body[1]), (round(hip + swing), round(foot)), coat * 0.9, max(2, round(0.08 * tall)))
    cv2.ellipse(picture, body, (round(0.5 * long), round(0.24 * tall)), 0, 0, 360, coat, -1)
    head = (round(x + 0.58 * long), round(foot - 0.85 * tall))
    cv2.line(picture, (round(x + 0.4 * long), body[1]), head, coat, max(3, round(0.14 * tall)))
    cv2.ellipse(picture, head, (round(0.17 * long), round(0.12 * tall)), 20, 0, 360, coat, -1)
    cv2.circle(picture, (head[0] + round(0.05 * long), head[1] - round(0.03 * tall)), 2, 255, -1)
