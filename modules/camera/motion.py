"""What the gate is told and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modules.camera.background import Grey, Mask


@dataclass(frozen=True, slots=True)
class GateRules:
    """How the gate decides.

    ``threshold`` in grey levels, None for one that follows the scene's noise; ``noise_factor`` is how many standard
    deviations of its own noise a pixel must differ by in any case. Areas are fractions of the picture, rates are per
    frame, ``settle``, ``longest_settle`` and ``absorb`` and ``hold`` are frames.
    """

    width: int = 160
    threshold: float | None = None
    lowest_threshold: float = 12.0
    noise_factor: float = 5.0
    min_area: float = 0.004
    scene_area: float = 0.7
    fast_rate: float = 0.10
    still_rate: float = 0.05
    moving_rate: float = 0.002
    light_rate: float = 0.4
    absorb: int = 20
    hold: int = 4
    settle: int = 8
    longest_settle: int = 20
    sudden_area: float = 0.15
    still_unlike: float = 0.2
    soft_edge: float = 0.18
    sharp_edge: float = 0.28
    likeness: float = 0.5
    same_texture: float = 0.8
    gone: float = 2.0


class Region(NamedTuple):
    """A rectangle in pixels of the full frame."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing in view: its box, the fraction of the picture it changed, and whether it is wholly in view."""

    region: Region
    area: float
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Motion:
    """What changed in one frame: ``area`` is the changed fraction of the picture (0 to 1); the largest thing first."""

    area: float
    things: tuple[Thing, ...] = ()

    @property
    def moving(self) -> bool:
        """True where at least one thing is large enough."""
        return bool(self.things)


STILL = Motion(0.0)
USUAL = GateRules()


@dataclass(frozen=True, slots=True)
class Look:
    """The gate's last look, for a person: small picture, what differs by how much and where (1), outlines."""

    small: Grey
    difference: Grey
    mask: Mask
    contours: tuple[NDArray[np.int32], ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """What the gate has learnt of its scene: ``threshold`` and ``noise`` in grey levels, ``bands`` of flicker too."""

    threshold: float
    noise: float
    bands: float
    calibrated: bool
    settling: bool
    scene_changes: int
