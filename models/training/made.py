"""Golden inputs, made and not taken: the recordings and pictures carry no licence to pass them on.

A golden case asks whether this machine computes what the training machine computed; for that an input need not be
real, only fixed.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from devices.rolling_bearing import Bearing, Defect, Machine
from models.training.export import Example
from modules.camera import conveyor
from modules.inference.card import Card

CASES = 6
_RATE_HZ = 12_000.0
_DEFECTS: tuple[tuple[Defect | None, str, float], ...] = (
    (None, "normal", 1797.0),
    ("outer", "outer_race", 1772.0),
    ("inner", "inner_race", 1721.0),
    ("ball", "ball", 1750.0),
    (None, "normal", 1500.0),
    ("outer", "outer_race", 1500.0),
)


def examples(card: Card) -> list[Example]:
    """The golden inputs of a package, the same each time."""
    if card.task == "waveform":
        return [_bearing(number) for number in range(CASES)]
    return [_tile(number) if card.name == "tile" else _strip(number) for number in range(CASES)]


def _bearing(number: int) -> Example:
    defect, label, rpm = _DEFECTS[number]
    bearing = Bearing(Machine(rpm=rpm), rate_hz=_RATE_HZ, defect=defect, seed=number)
    samples = bearing.block(round(1.4 * _RATE_HZ), severity=12.0)
    return samples.astype("<f4").tobytes(), {"rate": _RATE_HZ, "rpm": rpm}, label


def _tile(number: int) -> Example:
    defect = None if number % 2 else ("crack" if number % 4 else "blowhole")
    face = conveyor.tile(7, conveyor.Part(number, defect))
    return _jpeg(face), {}, "defect" if defect else "ok"


def _strip(number: int) -> Example:
    """Grain of another coarseness each time; no class of defect is claimed."""
    random = np.random.default_rng(number)
    grain = cv2.GaussianBlur(random.normal(0, 1, (200, 200)).astype(np.float32), (0, 0), 0.8 + number)
    grain = 130 + 45 * grain / grain.std()
    return _jpeg(np.asarray(np.clip(grain, 0, 255), np.uint8)), {}, ""


def _jpeg(picture: NDArray[np.uint8]) -> bytes:
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes())
