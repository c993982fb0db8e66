"""Signals of sensors, described in a file: level, noise, cycles, drift, and faults at their times. Pure.

    [[sensor]]
    name = "freezer1/air"            # letters, digits and - : . / _
    unit = "Cel"                     # SenML
    level = -20.0                    # what it shows when nothing else is said
    noise = 0.05                     # standard deviation of a reading
    drift = 0.0                      # a second
    every_s = 0.1                    # seconds from one reading to the next
    cycles = [{ amplitude = 0.8, period_s = 30.0, phase = 0.25 }]   # sines; phase in turns
    faults = [{ at_s = 20.0, over_s = 10.0, add = 14.0 }]

A fault begins `at_s` and lasts `until_s` (for ever). It adds `add`, reached over `over_s` seconds and given back over
as many; `per_s` adds that much a second while it lasts; `noise` adds noise; `stuck` repeats the last reading before it;
`silent` gives none. `every_s` (0: once) has it come again after so many seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from modules.common.messages import Reading


class Part(BaseModel):
    """A part of the file: a key it does not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Fault(Part):
    """What goes wrong, and when; times in seconds after the start, amounts in the sensor's unit."""

    at_s: float = Field(ge=0)
    until_s: float | None = None
    every_s: float = Field(0.0, ge=0)
    over_s: float = Field(0.0, ge=0)
    add: float = 0.0
    per_s: float = 0.0
    noise: float = Field(0.0, ge=0)
    stuck: bool = False
    silent: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> Fault:
        if self.until_s is not None and self.until_s <= self.at_s:
            raise ValueError("until_s must be after at_s")
        if self.every_s and (self.until_s is None or self.until_s - self.at_s + self.over_s > self.every_s):
            raise ValueError("a fault that comes again needs an until_s, and has to be over by then")
        return self

    def since(self, moment: float) -> float:
        """Seconds since it last began; negative before the first time."""
        since = moment - self.at_s
        return math.fmod(since, self.every_s) if self.every_s and since >= 0 else since

    def lasts(self, moment: float) -> bool:
        """Whether it is there at this moment; while it is given back it is no longer."""
        since = self.since(moment)
        return since >= 0 and (self.until_s is None or since < self.until_s - self.at_s)

    def share(self, moment: float) -> float:
        """How much of it is there, 0 to 1."""
        since = self.since(moment)
        if since < 0:
            return 0.0
        length = math.inf if self.until_s is None else self.until_s - self.at_s
        risen = min(1.0, since / self.over_s) if self.over_s else 1.0
        if since < length:
            return risen
        return max(0.0, 1.0 - (since - length) / self.over_s) * min(1.0, length / self.over_s) if self.over_s else 0.0

    def added(self, moment: float) -> float:
        """What it adds to the signal."""
        growing = self.per_s * self.since(moment) if self.per_s and self.lasts(moment) else 0.0
        return self.add * self.share(moment) + growing


class Cycle(Part):
    """A sine: a day, a compressor, a stroke."""

    amplitude: float
    period_s: float = Field(gt=0)
    phase: float = 0.0

    def at(self, moment: float) -> float:
        """Its value."""
        return self.amplitude * math.sin(2 * math.pi * (moment / self.period_s + self.phase))


class Sensor(Part):
    """One sensor that gives numbers."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9:./_-]{0,99}$")]
    unit: Annotated[str, Field(min_length=1, max_length=16)]
    level: float
    noise: float = Field(0.0, ge=0)
    drift: float = 0.0
    every_s: float = Field(0.1, ge=0.01)
    lowest: float | None = None
    cycles: tuple[Cycle, ...] = ()
    faults: tuple[Fault, ...] = ()

    def usual(self, moment: float) -> float:
        """The value without noise, `moment` seconds after the start."""
        value = self.level + self.drift * moment
        value += sum(cycle.at(moment) for cycle in self.cycles) + sum(fault.added(moment) for fault in self.faults)
        return value if self.lowest is None else max(self.lowest, value)


class Signal:
    """One sensor's readings, one after the other; the same seed gives the same ones, however they are asked for."""

    def __init__(self, sensor: Sensor, seed: int, begin: float = 0.0) -> None:
        """``begin``: the moment of the description from which on there are readings."""
        self.sensor = sensor
        self._random = np.random.default_rng(seed)
        self._next = math.ceil(begin / sensor.every_s)
        self._last: float | None = None

    def until(self, end: float, began: float) -> Iterator[Reading]:
        """The readings due before the moment ``end`` of the description; moment 0 was at ``began`` (Unix time)."""
        sensor = self.sensor
        while (moment := self._next * sensor.every_s) < end:
            self._next += 1
            spread = math.hypot(sensor.noise, *(fault.noise for fault in sensor.faults if fault.lasts(moment)))
            value = sensor.usual(moment) + spread * float(self._random.normal())
            value = value if sensor.lowest is None else max(sensor.lowest, value)
            there = [fault for fault in sensor.faults if fault.lasts(moment)]
            if any(fault.stuck for fault in there) and self._last is not None:
                value = self._last
            self._last = value
            if not any(fault.silent for fault in there):
                yield Reading(sensor.name, float(f"{value:.6g}"), round(began + moment, 3), sensor.unit)
