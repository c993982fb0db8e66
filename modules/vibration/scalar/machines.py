"""Whether a machine is stopped, runs up or is under load; and which readings are judged in that state."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from modules.vibration.columns import BoolArray, Columns, FloatArray, IntArray
from modules.vibration.scalar.readings import Readings
from modules.vibration.scalar.rules import STATES, Machine, Rule
from modules.vibration.scalar.sensors import Sensors

STOPPED, RUN_UP, LOAD = range(3)
UNKNOWN = -1


class Machines(Columns):
    """The state of every machine, kept in the row of the sensor that tells it.

    `teller`: that sensor's row, -1 without; `machine`: of a sensor that tells, the number of its machine, else -1.
    """

    fills: ClassVar = {
        "state": np.int8(UNKNOWN),
        "heard": np.float64(-np.inf),
        "loaded": np.float64(np.inf),
    }
    state: NDArray[np.int8]
    heard: FloatArray  # when it last told
    loaded: FloatArray  # since when the load threshold has been held

    def __init__(self) -> None:
        super().__init__()
        self.settings: Sequence[Machine] = ()
        self.teller: IntArray = np.zeros(0, dtype=np.intp)
        self.machine: IntArray = np.zeros(0, dtype=np.intp)
        self._member: IntArray = np.zeros(0, dtype=np.intp)

    def configure(self, machines: Sequence[Machine], rules: list[Rule]) -> None:
        """Take the machines and rules; `admit` then says who tells for whom."""
        self.settings = tuple(machines)
        self._stopped = np.array([machine.stopped_below for machine in machines])
        self._load = np.array([machine.load_above for machine in machines])
        self._release = np.array([1 - machine.hysteresis for machine in machines])
        self._settle = np.array([machine.settle for machine in machines])
        self._stale = np.array([machine.stale for machine in machines])
        self._judged = np.array([[state in rule.when for state in STATES] for rule in rules])
        self.active = bool(machines)
        self.teller = self.machine = self._member = np.zeros(0, dtype=np.intp)

    def admit(self, sensors: Sensors) -> None:
        """Look up who tells for each sensor that came since, and for those whose teller was not known yet."""
        if not self.active:
            return
        new = sensors.names[self._member.size :]
        own = [next((number for number, each in enumerate(self.settings) if each.fits(name)), -1) for name in new]
        self._member = np.concatenate([self._member, np.array(own, dtype=np.intp)])
        told = np.array([-1 if not each.told_by else _row(sensors, each.told_by) for each in self.settings])
        alone = np.array([not each.told_by for each in self.settings])
        itself = (self._member >= 0) & alone[self._member]
        self.teller = np.where(self._member < 0, -1, np.where(itself, np.arange(itself.size), told[self._member]))
        self.machine = np.where(itself, self._member, -1)
        known = np.flatnonzero(told >= 0)
        self.machine[told[known]] = known

    def step(self, readings: Readings) -> None:
        """Learn the states from readings of distinct sensors."""
        number = self.machine[readings.rows]
        telling = np.flatnonzero(number >= 0)
        if not telling.size:
            return
        who, number = readings.rows[telling], number[telling]
        level, now = np.abs(readings.values[telling]), readings.times[telling]
        before, release = self.state[who], self._release[number]
        turning = level >= self._stopped[number] * np.where(before == STOPPED, 1.0, release)
        held = self.loaded[who] < np.inf
        loaded = turning & (level >= self._load[number] * np.where(held, release, 1.0))
        since = np.where(loaded, np.where(held, self.loaded[who], now), np.inf)
        # A machine first seen at load has been there for who knows how long: it need not settle.
        settled = loaded & ((now - since >= self._settle[number]) | (before == UNKNOWN) | (before == LOAD))
        self.state[who] = np.where(~turning, STOPPED, np.where(settled, LOAD, RUN_UP))
        self.loaded[who] = since
        self.heard[who] = now

    def judged(self, readings: Readings, rule: IntArray) -> BoolArray | None:
        """Return which readings their rules judge in their machine's state, bool[n]; None where all are."""
        teller = self.teller[readings.rows]
        told = np.flatnonzero(teller >= 0)
        if not told.size:
            return None
        who = teller[told]
        number = self.machine[who]
        state = self.state[who]
        known = (state != UNKNOWN) & (readings.times[told] - self.heard[who] <= self._stale[number])
        allowed = ~known | self._judged[rule[readings.rows[told]], state]
        if allowed.all():
            return None
        judged = np.ones(teller.size, dtype=np.bool_)
        judged[told] = allowed
        return judged

    def of(self, row: int) -> str | None:
        """Return the state of the machine that the sensor in `row` belongs to, None where it is not known."""
        teller = int(self.teller[row]) if row < self.teller.size else -1
        state = UNKNOWN if teller < 0 else int(self.state[teller])
        return None if state == UNKNOWN else STATES[state]


def _row(sensors: Sensors, name: str) -> int:
    row = sensors.row(name)
    return -1 if row is None else row
