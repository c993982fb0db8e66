"""Slow sensors of a small plant: machines that each have a temperature, a current, a pressure and a vibration velocity.

Pure: values follow from the seed and the time. One machine develops a fault: its vibration velocity climbs from the
onset on, past 'schedule inspection' and on to 'immediate shutdown required'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modules.common.messages import Reading


@dataclass(frozen=True, slots=True)
class Quantity:
    """What one kind of sensor measures when all is well: ``level`` and ``noise`` in ``unit`` (SenML)."""

    name: str
    unit: str
    level: float
    noise: float


QUANTITIES = (
    Quantity("bearing-temperature", "Cel", 38.0, 0.15),
    Quantity("motor-current", "A", 11.0, 0.2),
    Quantity("oil-pressure", "Pa", 7.5e6, 4e4),
    Quantity("vibration-velocity", "m/s", 0.0016, 5e-5),
)
# ISO 20816-3 speaks of unacceptable vibration from 11.2 mm/s on for the largest machine class; the fault stops short.
FAULT_LEVEL = 0.0098


@dataclass(frozen=True, slots=True)
class Fault:
    """Which machine's vibration climbs, from when (seconds after the start) and how long it takes to the top."""

    machine: int
    onset_s: float = 2.0
    climb_s: float = 3.0

    def share(self, since_s: float) -> float:
        """How far the fault has developed, 0 to 1."""
        return float(np.clip((since_s - self.onset_s) / self.climb_s, 0.0, 1.0))


class Plant:
    """All sensors of the plant."""

    def __init__(self, *, machines: int = 5, seed: int = 1, fault: Fault | None = None) -> None:
        self._machines = machines
        self._random = np.random.default_rng(seed)
        self._fault = fault
        self._offsets = self._random.normal(0, 1, (machines, len(QUANTITIES)))

    def readings(self, since_s: Sequence[float], began: float) -> list[Reading]:
        """One reading of each sensor for each time, ``since_s`` seconds after ``began`` (Unix time, seconds)."""
        found = []
        for since in since_s:
            noise = self._random.normal(0, 1, (self._machines, len(QUANTITIES)))
            for machine in range(self._machines):
                for column, quantity in enumerate(QUANTITIES):
                    usual = quantity.level + quantity.noise * (self._offsets[machine, column] + noise[machine, column])
                    value = self._faulty(machine, quantity, float(usual), since)
                    name = f"press{machine + 1}/{quantity.name}"
                    found.append(Reading(name, float(f"{value:.5g}"), round(began + since, 3), quantity.unit))
        return found

    def _faulty(self, machine: int, quantity: Quantity, usual: float, since: float) -> float:
        if self._fault is None or machine + 1 != self._fault.machine or quantity.name != "vibration-velocity":
            return usual
        share = self._fault.share(since)
        return usual + share * (FAULT_LEVEL - usual)
