"""A reference that handles readings one by one, written for being read, not for speed."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from devices.crowd import Crowd
from modules.vibration.finding import Finding
from modules.vibration.scalar.core import ScalarCore
from modules.vibration.scalar.outcome import Outcome
from modules.vibration.scalar.readings import Readings
from modules.vibration.scalar.rules import Rule, Statistics

START = 1_700_000_040.0


@dataclass
class PlainSensor:
    """What the core should know of one sensor, by the definitions."""

    rule: Rule
    statistics: Statistics
    n: int = 0
    mean: float = 0.0
    variance: float = 0.0
    last: tuple[float, float] = (-math.inf, math.nan)
    recent: list[bool] = field(default_factory=list)
    kept: list[tuple[float, float]] = field(default_factory=list)
    standing: bool = False
    raised: list[float] = field(default_factory=list)
    flagged: list[tuple[float, float]] = field(default_factory=list)

    def reading(self, time: float, value: float) -> str:
        if time < self.last[0]:
            return "late"
        if (time, value) == self.last:
            return "duplicate"
        self.last = (time, value)
        self.kept.append((time, value))
        settings = self.statistics
        sigma = math.sqrt(max(self.variance, (1e-3 * self.mean) ** 2, self.rule.min_sigma**2, 2.3e-308))
        flag = self.n >= settings.warm_up and abs(value - self.mean) > settings.z_limit * sigma
        if flag:
            self.flagged.append((time, value))
        else:
            weight = 1 / (self.n + 1)
            gain = 1 / settings.truncation() if self.n >= settings.warm_up else 1.0
            deviation = value - self.mean
            self.mean += weight * deviation
            self.variance = (1 - weight) * (self.variance + weight * gain * deviation**2)
            self.n = min(self.n + 1, settings.memory - 1)
        self.recent = [*self.recent, flag][-self.rule.flags_of :]
        if not self.standing and sum(self.recent) >= self.rule.flags:
            self.standing = True
            self.raised.append(time)
        elif self.standing and not any(self.recent):
            self.standing = False
        return "accepted"


@pytest.fixture(scope="session")
def plain_sensor() -> type[PlainSensor]:
    return PlainSensor


@pytest.fixture(scope="session")
def watch() -> Callable[..., tuple[dict[str, Finding], ScalarCore]]:
    """Let a core watch a crowd for so many seconds; each sensor's first finding, and the core."""

    def run(
        crowd: Crowd, seconds: int, look: Callable[[int, ScalarCore], None] | None = None
    ) -> tuple[dict[str, Finding], ScalarCore]:
        core = ScalarCore()
        rows = core.resolve(crowd.names)
        first: dict[str, Finding] = {}
        for second in range(seconds):
            now = START + second
            values = crowd.values(rows, float(second))
            heard = np.flatnonzero(~np.isnan(values))
            outcome = Outcome()
            readings = Readings(rows[heard], values[heard], np.full(heard.size, now), second)
            core.judge(readings, outcome, now=now)
            assert outcome.accepted == heard.size
            for finding in outcome.findings + core.tick(now, START).findings:
                if finding.state == "raised":
                    first.setdefault(finding.sensor, finding)
            if look is not None:
                look(second, core)
        return first, core

    return run
