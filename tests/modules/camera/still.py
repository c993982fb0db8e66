"""A scene at which nothing moves, with the noise of a sensor: what the tests of the gate begin with."""

from datetime import UTC, datetime

import cv2
import numpy as np

from modules.camera.gate import Gate

HEIGHT, WIDTH = 240, 320
START = datetime(2026, 1, 2, tzinfo=UTC)


def scene(seed: int = 1, level: float = 90) -> np.ndarray:
    random = np.random.default_rng(seed)
    smooth = cv2.GaussianBlur(random.normal(level, 40, (HEIGHT, WIDTH)).astype(np.float32), (31, 31), 0)
    return np.clip(cv2.merge([smooth] * 3), 0, 255).astype(np.uint8)


NOISE = np.random.default_rng(5).normal(0, 4, (8, HEIGHT, WIDTH, 3)).astype(np.float32)


def noisy(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return np.asarray(np.clip(picture + NOISE[random.integers(len(NOISE))], 0, 255), np.uint8)


def settled(gate: Gate, picture: np.ndarray, frames: int = 20) -> np.random.Generator:
    random = np.random.default_rng(7)
    for _ in range(frames):
        gate.watch(noisy(picture, random))
    return random
