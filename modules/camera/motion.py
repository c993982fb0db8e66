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

    ``threshold`` is how high a sharp edge must stand, in grey levels, None for one that follows the scene's noise;
    ``noise_factor`` is how many standard deviations of its own noise a pixel must differ by in any case. ``softest`` is
    how wide the edges of a thing may be, as standard deviation in pixels of the small picture: after its blur those of
    things are 1.0 to 1.6 wide, those of shadows 1.8 and more. Areas and other shares are fractions, rates per frame;
    ``settle`` (frames in which nothing moves), ``settle_moving`` (of any; more while the view that they have in common
    is not seen in a share ``doubtful`` of them), ``longest_settle``, ``absorb``, ``hold`` (a pose that the camera stays
    in), ``patience`` (a scene that has changed) and ``unsteady`` (after a move) are frames.
    """

    width: int = 160
    threshold: float | None = None
    lowest_threshold: float = 6.5
    noise_factor: float = 5.0
    min_area: float = 0.004
    scene_area: float = 0.7
    scene_edges: float = 0.6
    on_edges: float = 0.5
    edges_over: float = 0.3
    enclosed: float = 1.2
    fast_rate: float = 0.08
    still_rate: float = 0.05
    moving_rate: float = 0.002
    absorb: int = 20
    hold: int = 4
    patience: int = 5
    unsteady: int = 50
    settle: int = 8
    settle_moving: int = 28
    longest_settle: int = 112
    doubtful: float = 0.45
    same_texture: float = 0.8
    softest: float = 1.7
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
    """What changed in one frame: ``area`` is the changed fraction of the picture (0 to 1); the largest thing first.

    ``blind`` where nobody can say: the view is being learnt, or has changed nearly everywhere.
    """

    area: float
    things: tuple[Thing, ...] = ()
    blind: bool = False

    @property
    def moving(self) -> bool:
        """True where at least one thing is large enough."""
        return bool(self.things)


BLIND = Motion(0.0, blind=True)
USUAL = GateRules()


@dataclass(frozen=True, slots=True)
class Look:
    """The gate's last look, for a person: small picture, where it differs (1), outlines."""

    small: Grey
    mask: Mask
    contours: tuple[NDArray[np.int32], ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """What the gate has learnt of its scene: ``threshold``, ``noise`` and ``flicker`` in grey levels."""

    threshold: float
    noise: float
    flicker: float
    calibrated: bool
    settling: bool
    scene_changes: int
