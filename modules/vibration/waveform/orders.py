"""Bearing fault orders: how often each part of a bearing would knock per turn, and how far such lines stand out."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from modules.vibration.waveform.features import Float32, Float64

Part = Literal["outer race", "inner race", "rolling element", "cage"]

HARMONICS = 3
SLIP = 0.015  # lines lie within this share of their nominal order: rolling elements slip (Randall, Antoni 2011: 1-2 %)
_GUARD = 2  # bins beside a line that the taper smears it into
_NEIGHBOURS = 20  # bins on each side that tell the background


@dataclass(frozen=True, slots=True)
class Orders:
    """Fault orders, in turns of the shaft: events per revolution with a fixed outer race."""

    outer: float  # BPFO
    inner: float  # BPFI
    ball: float  # BSF: turns of a rolling element; a defect on it strikes both races, so it knocks at 2 x BSF
    cage: float  # FTF

    @classmethod
    def of(cls, balls: int, ball_diameter: float, pitch_diameter: float, contact_deg: float = 0.0) -> "Orders":
        """Return the orders of a bearing by its geometry, diameters in one unit, contact angle in degrees.

        Randall, Antoni 2011, eqs. 1 to 4.
        """
        ratio = ball_diameter / pitch_diameter * math.cos(math.radians(contact_deg))
        return cls(
            outer=balls / 2 * (1 - ratio),
            inner=balls / 2 * (1 + ratio),
            ball=pitch_diameter / (2 * ball_diameter) * (1 - ratio**2),
            cage=(1 - ratio) / 2,
        )

    @property
    def passes(self) -> tuple[float, float, float, float]:
        """Events in a turn by PARTS: outer race, inner race, rolling element, cage."""
        return self.outer, self.inner, 2 * self.ball, self.cage


PARTS: tuple[Part, ...] = ("outer race", "inner race", "rolling element", "cage")


def order_levels(power: Float32, resolution: float, turns_hz: float, orders: Orders) -> Float64:
    """Return how far each part's lines stand out of an envelope spectrum: float64[n, 4] in the order of PARTS.

    `power`: float32[n, bins], power of envelope lines `resolution` Hz apart; `turns_hz`: shaft speed. A level is the
    mean over harmonics of line / background amplitude, background being the median of the neighbouring bins; noise
    alone gives about 2. A rolling element's line counts with the stronger of its cage sidebands.
    """
    levels = np.zeros((power.shape[0], len(PARTS)))
    spread = orders.cage * turns_hz / resolution
    for column, order in enumerate(orders.passes):
        found = []
        for harmonic in range(1, HARMONICS + 1):
            centre = order * harmonic * turns_hz / resolution
            background = _background(power, centre)
            if background is None:
                break
            line = _line(power, centre)
            if PARTS[column] == "rolling element":
                sides = np.maximum(_line(power, centre - spread), _line(power, centre + spread))
                line = (line + sides) / 2
            found.append(line / background)
        if found:
            levels[:, column] = np.mean(found, axis=0)
    return levels


def _bins(centre: float) -> tuple[int, int]:
    reach = max(1.0, SLIP * centre)
    return max(0, math.floor(centre - reach)), math.ceil(centre + reach) + 1


def _line(power: Float32, centre: float) -> Float64:
    """Return the largest amplitude where a line at bin `centre` may lie, float64[n]."""
    low, high = _bins(centre)
    return np.asarray(np.sqrt(power[:, low:high].max(axis=1, initial=0)), dtype=np.float64)


def _background(power: Float32, centre: float) -> Float64 | None:
    """Return the median amplitude beside a line, float64[n]; None where the spectrum does not reach so far."""
    low, high = _bins(centre)
    left = power[:, max(_GUARD + 1, low - _GUARD - _NEIGHBOURS) : max(_GUARD + 1, low - _GUARD)]
    right = power[:, high + _GUARD : high + _GUARD + _NEIGHBOURS]
    if low <= _GUARD or right.shape[1] < _NEIGHBOURS:
        return None
    beside = np.concatenate([left, right], axis=1)
    middle = beside.shape[1] // 2
    beside.partition(middle, axis=1)
    background = np.sqrt(beside[:, middle].astype(np.float64))
    return np.where(background > 0, background, np.inf)
