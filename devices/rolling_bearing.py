"""A rolling bearing as an accelerometer hears it: impacts exciting a resonance, the shaft, and noise. Pure.

A local defect strikes once at each ball pass. Each strike rings the housing; the spacing of the strikes jitters by
one or two per cent because the balls slip, and their strength is modulated at the speed with which the defect passes
through the load zone. After McFadden and Smith, Model for the vibration produced by a single point defect in a rolling
element bearing, J. Sound Vib. 96 (1984), and Randall and Antoni, Rolling element bearing diagnostics - a tutorial,
Mech. Syst. Signal Process. 25 (2011).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Defect = Literal["outer", "inner", "ball"]


@dataclass(frozen=True, slots=True)
class Geometry:
    """A bearing's geometry: balls, ball and pitch diameter (same unit), contact angle in degrees.

    The default is the SKF 6205-2RS.
    """

    balls: int = 9
    ball_diameter: float = 7.94
    pitch_diameter: float = 39.04
    contact_deg: float = 0.0

    @property
    def _ratio(self) -> float:
        return self.ball_diameter / self.pitch_diameter * math.cos(math.radians(self.contact_deg))

    @property
    def bpfo(self) -> float:
        """Ball passes of the outer race per turn."""
        return self.balls / 2 * (1 - self._ratio)

    @property
    def bpfi(self) -> float:
        """Ball passes of the inner race per turn."""
        return self.balls / 2 * (1 + self._ratio)

    @property
    def ftf(self) -> float:
        """Turns of the cage per turn of the shaft."""
        return (1 - self._ratio) / 2

    @property
    def bsf(self) -> float:
        """Spins of a ball per turn; a defect on it strikes both races, hence 2xBSF."""
        return self.pitch_diameter / (2 * self.ball_diameter) * (1 - self._ratio**2)


@dataclass(frozen=True, slots=True)
class Machine:
    """What turns and how it sounds. Accelerations in m/s2, frequencies in Hz."""

    rpm: float = 1797.0
    geometry: Geometry = Geometry()
    resonance_hz: float = 3200.0
    damping: float = 0.06
    noise: float = 0.6
    unbalance: float = 0.4
    slip: float = 0.01


class Bearing:
    """Makes one sensor's signal, block after block, without a seam."""

    def __init__(
        self, machine: Machine, *, rate_hz: float = 12_000.0, defect: Defect | None = None, seed: int = 1
    ) -> None:
        self._machine = machine
        self._rate = rate_hz
        self._defect: Defect | None = defect
        # One stream each for noise and strikes: the signal is the same however it is cut into blocks.
        self._noise = np.random.default_rng((seed, 0))
        self._strike = np.random.default_rng((seed, 1))
        self._start = 0
        self._next_strike = 0.0
        self._ring = self._response()
        self._tail = np.zeros(self._ring.size)

    def _response(self) -> NDArray[np.float64]:
        """The housing's answer to one strike: a decaying oscillation, cut where it has faded to a thousandth."""
        machine = self._machine
        decay = 2 * math.pi * machine.resonance_hz * machine.damping
        seconds = np.arange(round(math.log(1000) / decay * self._rate) + 1) / self._rate
        return np.asarray(np.exp(-decay * seconds) * np.sin(2 * np.pi * machine.resonance_hz * seconds))

    @property
    def _strikes_per_turn(self) -> float:
        geometry = self._machine.geometry
        return {"outer": geometry.bpfo, "inner": geometry.bpfi, "ball": 2 * geometry.bsf}[self._defect or "outer"]

    def _modulation(self, turns: float) -> float:
        """How hard a strike is at this point: the defect moves through the load zone, unless it stands still there."""
        if self._defect == "inner":
            return 0.55 + 0.45 * math.cos(2 * math.pi * turns)
        if self._defect == "ball":
            return 0.6 + 0.4 * math.cos(2 * math.pi * turns * self._machine.geometry.ftf)
        return 1.0

    def block(self, count: int, *, severity: float = 0.0) -> NDArray[np.float32]:
        """The next ``count`` samples, float32 (count,); a defect of ``severity`` strikes with that many m/s2."""
        machine, rate = self._machine, self._rate
        turns_per_second = machine.rpm / 60
        seconds = (self._start + np.arange(count)) / rate
        signal = machine.unbalance * np.sin(2 * np.pi * turns_per_second * seconds)
        signal += 0.3 * machine.unbalance * np.sin(4 * np.pi * turns_per_second * seconds + 0.7)
        signal += self._noise.normal(0, machine.noise, count)
        strikes = np.zeros(count + self._ring.size)
        end = (self._start + count) / rate
        while self._defect is not None and self._next_strike < end:
            place = int(self._next_strike * rate) - self._start
            strength = severity * self._modulation(self._next_strike * turns_per_second)
            strikes[place : place + self._ring.size] += strength * self._strike.uniform(0.8, 1.2) * self._ring
            step = 1 / (self._strikes_per_turn * turns_per_second)
            self._next_strike += step * (1 + self._strike.normal(0, machine.slip))
        strikes[: self._tail.size] += self._tail
        self._tail = strikes[count:]
        self._start += count
        return (signal + strikes[:count]).astype(np.float32)
