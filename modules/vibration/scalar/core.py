"""Readings in, findings, flags and finished windows out: the scalar half of the module, without any I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from modules.vibration.columns import FloatArray, IntArray
from modules.vibration.finding import Finding
from modules.vibration.scalar.baseline import Baseline
from modules.vibration.scalar.clock import Clock
from modules.vibration.scalar.findings import deviations, level_moves, silences, stillness
from modules.vibration.scalar.levels import Levels
from modules.vibration.scalar.persistence import Persistence
from modules.vibration.scalar.readings import Readings
from modules.vibration.scalar.rounds import Rounds
from modules.vibration.scalar.rules import Aggregation, Limits, Rule, Statistics
from modules.vibration.scalar.sensors import Sensors
from modules.vibration.scalar.upkeep import Upkeep
from modules.vibration.scalar.windows import WindowBatch, Windows

_LARGEST = 1e100  # of a reading; beyond it squares and fourth powers overflow
_GROWTH = 1.5
_APART = 1e-6  # seconds between readings stamped on receipt, so that none looks like a repeat of the one before


@dataclass(slots=True)
class Flags:
    """Flagged readings: sensor row, Unix seconds, value, z score."""

    sensor: IntArray
    time: FloatArray
    value: FloatArray
    z: FloatArray


@dataclass(slots=True)
class Outcome:
    """What a batch led to."""

    accepted: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    restamped: int = 0
    findings: list[Finding] = field(default_factory=list)
    flags: list[Flags] = field(default_factory=list)
    windows: list[WindowBatch] = field(default_factory=list)

    def reject(self, reason: str, count: int) -> None:
        """Count `count` readings as refused for `reason`."""
        if count:
            self.rejected[reason] = self.rejected.get(reason, 0) + count


class ScalarCore:
    """Judges readings of any number of sensors.

    A batch is cut into rounds without repeats of a sensor, so the state after it equals that of handling its readings
    one by one, whatever their order and repeats.
    """

    def __init__(
        self,
        rules: Sequence[Rule] = (),
        statistics: Statistics | None = None,
        aggregation: Aggregation | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self.sensors = Sensors(rules, self._limits.sensors)
        self.baseline = Baseline(statistics or Statistics())
        self.levels = Levels()
        self.persistence = Persistence()
        self.windows = Windows(aggregation or Aggregation())
        self.clock = Clock()
        self.upkeep = Upkeep()
        self._rounds = Rounds()
        self._parts = (self.baseline, self.levels, self.persistence, self.windows, self.clock, self.upkeep)
        self._room = 0
        self._apply_rules()

    def configure(
        self, rules: Sequence[Rule], statistics: Statistics, aggregation: Aggregation, limits: Limits
    ) -> None:
        """Take new settings; what was learned stays."""
        self._limits = limits
        self.sensors.configure(rules)
        self.sensors.bound(limits.sensors)
        self.baseline.configure(statistics)
        self.windows.configure(aggregation)
        self._apply_rules()

    def handle(
        self,
        names: Sequence[str],
        values: Sequence[float],
        times: Sequence[float],
        units: Sequence[str | None],
        *,
        seq: int,
        lost: int = 0,
        now: float,
    ) -> Outcome:
        """Judge a batch of readings given by name; `times` and `now` in Unix seconds, values in `units`."""
        outcome = Outcome()
        rows = self.resolve(names)
        numbers = np.array(values, dtype=np.float64)
        stamps = np.array(times, dtype=np.float64)
        wrong = (rows < 0) | (self.sensors.convert(rows, numbers, units) if rows.size else rows < 0)
        if wrong.any():
            full = int(np.count_nonzero(rows < 0))
            outcome.reject("too_many_sensors", full)
            outcome.reject("unit", int(np.count_nonzero(wrong)) - full)
            rows, numbers, stamps = rows[~wrong], numbers[~wrong], stamps[~wrong]
        self.judge(Readings(rows, numbers, stamps, seq, lost), outcome, now=now)
        return outcome

    def resolve(self, names: Sequence[str]) -> IntArray:
        """Return the rows of `names`, making room for new sensors; -1 where there is none."""
        rows = self.sensors.resolve(names)
        if len(self.sensors) > self._room:
            self._apply_rules()
        return rows

    def readings(self, rows: IntArray, values: FloatArray, time: float, *, seq: int = 0, lost: int = 0) -> Readings:
        """Return readings that were all taken at `time`."""
        return Readings(rows, values, np.full(rows.size, time), seq, lost)

    def judge(self, readings: Readings, outcome: Outcome, *, now: float) -> None:
        """Judge readings given by row; `now` in Unix seconds. What they led to is added to `outcome`."""
        usable = np.abs(readings.values) < _LARGEST
        if not usable.all():
            odd = readings.values[~usable]
            outcome.reject("nan", int(np.count_nonzero(np.isnan(odd))))
            outcome.reject("infinite", int(np.count_nonzero(np.isinf(odd))))
            outcome.reject("oversize", int(np.count_nonzero(np.isfinite(odd))))
            readings = readings.at(usable)
        believable = (readings.times <= now + self._limits.ahead) & (readings.times >= now - self._limits.behind)
        if not believable.all():
            outcome.restamped += int(np.count_nonzero(~believable))
            stamps = now + _APART * np.arange(believable.size)
            readings = replace(readings, times=np.where(believable, readings.times, stamps))
        begin = len(outcome.windows)
        for chosen in self._rounds.split(readings.rows, self._room):
            self._round(readings if chosen is None else readings.at(chosen), outcome)
        self._tend(outcome, begin)

    def tick(self, now: float, since: float) -> Outcome:
        """Once a second or so: close windows of silent sensors and tell who has fallen silent or is heard again.

        `since`: when this core began to listen; both in Unix seconds.
        """
        outcome = Outcome(windows=self.windows.close_overdue(now))
        self._tend(outcome, 0)
        fallen, heard = self.upkeep.listen(self.clock.time[: len(self.sensors)], now, since)
        outcome.findings.extend(silences(fallen, now, self.sensors, self.clock, cleared=False))
        outcome.findings.extend(silences(heard, now, self.sensors, self.clock, cleared=True))
        return outcome

    def _tend(self, outcome: Outcome, begin: int) -> None:
        """Look for stuck sensors in the windows of `outcome` from `begin` on."""
        for windows in outcome.windows[begin:]:
            stuck, freed = self.upkeep.take(windows)
            if stuck.size or freed.size:
                outcome.findings.extend(stillness(windows.rows(stuck), self.sensors, cleared=False))
                outcome.findings.extend(stillness(windows.rows(freed), self.sensors, cleared=True))

    def saved(self) -> dict[str, NDArray[np.generic]]:
        """Return the state of all sensors as named arrays; the names and units are `sensors.saved()`."""
        self.windows.settle()
        rows = len(self.sensors)
        return {
            f"{type(part).__name__}.{name}": column for part in self._parts for name, column in part.saved(rows).items()
        }

    def restore(
        self, names: Sequence[str], units: Sequence[str | None], columns: Mapping[str, NDArray[np.generic]]
    ) -> None:
        """Put saved state into an empty core; windows that were open are marked partial. Raises ValueError."""
        self.sensors.restore(names, units)
        rows = len(self.sensors)
        for part in self._parts:
            prefix = f"{type(part).__name__}."
            part.restore({key[len(prefix) :]: c for key, c in columns.items() if key.startswith(prefix)}, rows)
        self.windows.interrupted()
        self._apply_rules()

    def _apply_rules(self) -> None:
        rules = self.sensors.rules
        if len(self.sensors) > self._room:
            self._room = max(int(len(self.sensors) * _GROWTH), 256)
        for part in self._parts:
            part.grow(self._room)
        rule = self.sensors.rule
        self.levels.configure(rules, rule)
        self.persistence.configure(rules)
        self.baseline.floor[: rule.size] = np.square(np.array([r.min_sigma for r in rules]))[rule]

    def _round(self, readings: Readings, outcome: Outcome) -> None:
        untimely = self.clock.step(readings.rows, readings.values, readings.times)
        if untimely is not None:
            outcome.reject("late", int(np.count_nonzero(untimely.late)))
            outcome.reject("duplicate", int(np.count_nonzero(untimely.repeated)))
            readings = readings.at(~(untimely.late | untimely.repeated))
        rows, values, times, rule = readings.rows, readings.values, readings.times, self.sensors.rule
        outcome.accepted += rows.size
        flagged, z = self.baseline.step(rows, values)
        if flagged.size:
            outcome.flags.append(Flags(rows[flagged], times[flagged], values[flagged], z))
        found = self.persistence.step(rows, rule, flagged, times)
        moves = self.levels.step(rows, rule, values, times)
        outcome.windows.extend(self.windows.step(readings, flagged))
        if found.raised.size or found.cleared.size:
            outcome.findings.extend(deviations(readings, found.raised, self.sensors, self.baseline, cleared=False))
            outcome.findings.extend(deviations(readings, found.cleared, self.sensors, self.baseline, cleared=True))
        if found.relearned.size:
            self.baseline.relearn(rows[found.relearned])
        if moves.positions.size:
            outcome.findings.extend(level_moves(readings, moves, self.sensors, self.levels))
