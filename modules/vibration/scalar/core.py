"""Readings in, findings, flags and finished windows out: the scalar half of the module, without any I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from modules.vibration.columns import Columns, FloatArray, IntArray
from modules.vibration.scalar.baseline import Baseline
from modules.vibration.scalar.clock import Clock
from modules.vibration.scalar.findings import deviations, excursions, illnesses, level_moves, silences
from modules.vibration.scalar.hops import Hops
from modules.vibration.scalar.levels import Levels
from modules.vibration.scalar.machines import Machines
from modules.vibration.scalar.merge import Merge, in_order
from modules.vibration.scalar.outcome import Flags, Outcome
from modules.vibration.scalar.outside import Ranges, Rates
from modules.vibration.scalar.persistence import Persistence
from modules.vibration.scalar.readings import Readings
from modules.vibration.scalar.rounds import Rounds
from modules.vibration.scalar.rules import Aggregation, Limits, Machine, Rule, Statistics
from modules.vibration.scalar.sensors import Sensors
from modules.vibration.scalar.upkeep import Upkeep
from modules.vibration.scalar.window import WindowBatch
from modules.vibration.scalar.windows import Windows

_LARGEST = 1e100  # of a reading; beyond it squares and fourth powers overflow
_GROWTH = 1.5
_HELD = "merge."
_NONE: IntArray = np.zeros(0, dtype=np.intp)
_APART = 1e-6  # seconds between readings stamped on receipt, so that none looks like a repeat of the one before


class ScalarCore:
    """Judges readings of any number of sensors.

    A batch is put in order of time and cut into rounds without repeats of a sensor, so the state after it equals that
    of handling its readings one by one in that order.
    """

    def __init__(
        self,
        rules: Sequence[Rule] = (),
        statistics: Statistics | None = None,
        aggregation: Aggregation | None = None,
        limits: Limits | None = None,
        *,
        machines: Sequence[Machine] = (),
        listed: Mapping[str, Rule] | None = None,
    ) -> None:
        self._limits = limits or Limits()
        aggregation = aggregation or Aggregation()
        self.sensors = Sensors(rules, self._limits.sensors, listed)
        self.baseline = Baseline(statistics or Statistics())
        self.levels = Levels()
        self.persistence = Persistence()
        self.rates, self.ranges, self.live = Rates(), Ranges("measures"), Ranges("alive")
        self._excursions = {"rate": Persistence(), "range": Persistence(), "live": Persistence()}
        self.machines = Machines()
        self.windows = Windows(aggregation)
        self.hops = Hops(aggregation)
        self.clock = Clock()
        self.upkeep = Upkeep()
        self.merge = Merge()
        self._rounds = Rounds()
        self._parts: dict[str, Columns] = {
            "baseline": self.baseline,
            "levels": self.levels,
            "persistence": self.persistence,
            "rates": self.rates,
            "machines": self.machines,
            "windows": self.windows,
            "clock": self.clock,
            "upkeep": self.upkeep,
            **self._excursions,
        }
        self._room = 0
        self._known = 0
        self._apply_rules(machines)

    def configure(
        self,
        rules: Sequence[Rule],
        statistics: Statistics,
        aggregation: Aggregation,
        limits: Limits,
        *,
        machines: Sequence[Machine] = (),
        listed: Mapping[str, Rule] | None = None,
    ) -> None:
        """Take new settings; what was learned stays."""
        self._limits = limits
        self.sensors.configure(rules, listed)
        self.sensors.bound(limits.sensors)
        self.baseline.configure(statistics)
        self.windows.configure(aggregation)
        self.hops.configure(aggregation)
        self._apply_rules(machines)

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
        if len(self.sensors) > self._known:
            self._admit()
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
        self.clock.doubt(readings.rows, ~believable)
        if not believable.all():
            outcome.restamped += int(np.count_nonzero(~believable))
            stamps = now + _APART * np.arange(believable.size)
            readings = replace(readings, times=np.where(believable, readings.times, stamps))
        if self._limits.lateness or len(self.merge):
            self._release(readings, outcome, now)
        else:
            self._in_turn(in_order(readings), outcome)

    def tick(self, now: float, since: float) -> Outcome:
        """Once a second or so: judge what waited for late ones, close windows of silent sensors, tell who is silent.

        `since`: when this core began to listen; both in Unix seconds.
        """
        outcome = Outcome()
        if len(self.merge):
            self._release(None, outcome, now)
        quiet = now - self._limits.lateness
        for panes in self.windows.close_overdue(quiet):
            self._ended(panes, np.full(len(panes), now), outcome)
        outcome.windows.extend(self.hops.overdue(quiet - self.windows.settings.grace))
        fallen, heard = self.upkeep.listen(self.clock.time[: len(self.sensors)], quiet, since)
        outcome.findings.extend(silences(fallen, now, self.sensors, self.clock, cleared=False))
        outcome.findings.extend(silences(heard, now, self.sensors, self.clock, cleared=True))
        return outcome

    def relearn(self, row: int) -> None:
        """Forget what is normal for the sensor in `row`."""
        self.baseline.relearn(np.array([row]))

    def standing(self, row: int) -> list[str]:
        """Return the rules, levels left out, by which an alert about the sensor in `row` stands."""
        upkeep = self.upkeep
        columns = {"deviation": self.persistence.standing}
        columns |= {name: each.standing for name, each in self._excursions.items()}
        columns |= {"stuck": upkeep.stuck, "clipping": upkeep.cut, "bias": upkeep.lost, "missing": upkeep.silent}
        return [name for name, column in columns.items() if column[row]]

    def saved(self) -> dict[str, NDArray[np.generic]]:
        """Return the state of all sensors as named arrays; the names and units are `sensors.saved()`."""
        self.windows.settle()
        rows = len(self.sensors)
        columns = {
            f"{part}.{name}": column for part, each in self._parts.items() for name, column in each.saved(rows).items()
        }
        return columns | {f"{_HELD}{name}": column for name, column in self.merge.saved().items()}

    def restore(
        self, names: Sequence[str], units: Sequence[str | None], columns: Mapping[str, NDArray[np.generic]]
    ) -> None:
        """Put saved state into an empty core; windows that were open are marked partial. Raises ValueError."""
        self.sensors.restore(names, units)
        rows = len(self.sensors)
        for part, each in self._parts.items():
            prefix = f"{part}."
            each.restore({key[len(prefix) :]: c for key, c in columns.items() if key.startswith(prefix)}, rows)
        self.merge.restore({key[len(_HELD) :]: c for key, c in columns.items() if key.startswith(_HELD)}, rows)
        self.windows.interrupted()
        self._apply_rules(self.machines.settings)

    def _apply_rules(self, machines: Sequence[Machine]) -> None:
        rules = self.sensors.rules
        self.levels.configure(rules, self.sensors.rule)
        self.persistence.configure(rules, relearn=True)
        self.rates.configure(rules)
        self.ranges.configure(rules)
        self.live.configure(rules)
        for name, each in self._excursions.items():
            each.configure(rules, needed="rate_flags" if name == "rate" else "flags")
        self._min_variance = np.square([rule.min_sigma for rule in rules])
        self.machines.configure(machines, rules)
        self._known = 0
        self._admit()

    def _admit(self) -> None:
        """Make room for the sensors that came since, and give them what their rules say."""
        if len(self.sensors) > self._room or not self._room:
            self._room = max(int(len(self.sensors) * _GROWTH), 256)
        for part in self._parts.values():
            part.grow(self._room)
        self.hops.grow(self._room)
        rule = self.sensors.rule
        self.levels.admit(rule, self._known)
        self.baseline.floor[self._known : rule.size] = self._min_variance[rule[self._known :]]
        self.machines.admit(self.sensors)
        self._known = rule.size

    def _release(self, readings: Readings | None, outcome: Outcome, now: float) -> None:
        due = self.merge.take(readings, now - self._limits.lateness)
        if due is not None:
            self._in_turn(due, outcome)

    def _in_turn(self, readings: Readings, outcome: Outcome) -> None:
        for chosen in self._rounds.split(readings.rows, self._room):
            self._round(readings if chosen is None else readings.at(chosen), outcome)
            if isinstance(readings.lost, int) and readings.lost:
                # Every sensor was in the first round, and a gap counts once for each.
                readings = replace(readings, lost=0)

    def _round(self, readings: Readings, outcome: Outcome) -> None:
        """Judge readings of distinct sensors."""
        untimely = self.clock.step(readings.rows, readings.values, readings.times)
        if untimely is not None:
            outcome.reject("late", int(np.count_nonzero(untimely.late)))
            outcome.reject("duplicate", int(np.count_nonzero(untimely.repeated)))
            readings = readings.at(~(untimely.late | untimely.repeated))
        outcome.accepted += readings.rows.size
        judged = None
        if self.machines.active:
            self.machines.step(readings)
            judged = self.machines.judged(readings, self.sensors.rule)
        if judged is None:
            panes = self.windows.step(readings, self._judge(readings, outcome), _NONE)
        else:
            at_work = np.flatnonzero(judged)
            flagged = at_work[self._judge(readings.at(at_work), outcome)]
            panes = self.windows.step(readings, flagged, np.flatnonzero(~judged))
        for each in panes:
            self._ended(each, self.clock.time[each.sensor], outcome)

    def _judge(self, readings: Readings, outcome: Outcome) -> IntArray:
        """Hold readings of distinct sensors against their rules; return the positions of those flagged."""
        rows, values, times, rule = readings.rows, readings.values, readings.times, self.sensors.rule
        flagged, z = self.baseline.step(rows, values)
        if flagged.size:
            outcome.flags.append(Flags(rows[flagged], times[flagged], values[flagged], z))
        found = self.persistence.step(rows, rule, flagged, times)
        moves = self.levels.step(rows, rule, values, times)
        if found.raised.size or found.cleared.size:
            outcome.findings.extend(deviations(readings, found.raised, self.sensors, self.baseline, cleared=False))
            outcome.findings.extend(deviations(readings, found.cleared, self.sensors, self.baseline, cleared=True))
        if found.relearned.size:
            self.baseline.relearn(rows[found.relearned])
        if moves.positions.size:
            outcome.findings.extend(level_moves(readings, moves, self.sensors, self.levels))
        if self.rates.active:
            measured, fast = self.rates.step(rows, rule, values, times)
            self._excursion("rate", readings.at(measured), fast, outcome)
        if self.ranges.active:
            self._excursion("range", readings, self.ranges.step(rows, rule, values), outcome)
        if self.live.active:
            self._excursion("live", readings, self.live.step(rows, rule, values), outcome)
        return flagged

    def _excursion(self, name: str, readings: Readings, outside: IntArray, outcome: Outcome) -> None:
        found = self._excursions[name].step(readings.rows, self.sensors.rule, outside, readings.times)
        outcome.findings.extend(excursions(name, readings, found.raised, self.sensors, cleared=False))
        outcome.findings.extend(excursions(name, readings, found.cleared, self.sensors, cleared=True))

    def _ended(self, panes: WindowBatch, times: FloatArray, outcome: Outcome) -> None:
        """Look at finished windows of distinct sensors, known to be over by readings of `times`."""
        for ill in self.upkeep.take(panes, self.baseline):
            if ill.raised.size or ill.cleared.size:
                outcome.findings.extend(illnesses(ill, panes, self.sensors, self.upkeep, times))
        outcome.windows.extend(self.hops.take(panes))
