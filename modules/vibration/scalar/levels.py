"""Risk levels: value / limit above 0.4 is a warning, above 0.7 critical, with hysteresis, hold-off and an end."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from modules.vibration.columns import Columns, FloatArray, IntArray
from modules.vibration.scalar.rules import Rule

NORMAL, WARNING, CRITICAL = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Moves:
    """Sensors whose level moved in one step: positions into the step's arrays, the level before and after."""

    positions: IntArray
    before: NDArray[np.int8]
    after: NDArray[np.int8]


_NO_MOVES = Moves(np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.int8), np.zeros(0, dtype=np.int8))


class Levels(Columns):
    """The risk level of every sensor.

    `watch_above` is the value from which a reading needs a look: the warning threshold while the sensor is normal,
    minus infinity while a level stands. So one comparison clears the common case.
    """

    fills: ClassVar = {
        "level": np.int8(0),
        "watch_above": np.float64(np.inf),
        "below_since": np.float64(np.nan),
        "held_until": np.float64(-np.inf),
        "held_level": np.int8(0),
        "limit": np.float64(np.inf),
    }
    level: NDArray[np.int8]
    watch_above: FloatArray
    below_since: FloatArray
    held_until: FloatArray
    held_level: NDArray[np.int8]
    limit: FloatArray

    def configure(self, rules: list[Rule], rule: IntArray) -> None:
        """Take the rules and every known sensor's rule number; standing levels stay until readings move them."""
        self._warning = np.array([rule.warning for rule in rules])
        self._critical = np.array([rule.critical for rule in rules])
        self._release = np.array([1 - rule.hysteresis for rule in rules])
        self._clear_after = np.array([rule.clear_after for rule in rules])
        self._hold_off = np.array([rule.hold_off for rule in rules])
        self._limit = np.array([np.inf if rule.limit is None else rule.limit for rule in rules])
        self.admit(rule, 0)

    def admit(self, rule: IntArray, begin: int) -> None:
        """Give the sensors from row `begin` on their limits; `rule`: the rule's number of every sensor known."""
        self.grow(rule.size)
        rows, rule = slice(begin, rule.size), rule[begin:]
        self.limit[rows] = self._limit[rule]
        self.watch_above[rows] = np.where(self.level[rows] > NORMAL, -np.inf, self._warning[rule] * self.limit[rows])

    def step(self, sensors: IntArray, rule: IntArray, values: FloatArray, times: FloatArray) -> Moves:
        """Judge one reading of each of `sensors` (all distinct); `values` in the limit's unit, `times` in seconds."""
        looked = np.flatnonzero(values > self.watch_above[sensors])
        if not looked.size:
            return _NO_MOVES
        who = sensors[looked]
        rules = rule[who]
        risk = values[looked] / self.limit[who]
        when = times[looked]
        before = self.level[who]
        warning, critical, release = self._warning[rules], self._critical[rules], self._release[rules]
        reached = (risk > warning).astype(np.int8) + (risk > critical)
        kept = (risk >= warning * release).astype(np.int8) + (risk >= critical * release)
        held = (reached <= self.held_level[who]) & (when < self.held_until[who])
        up = (reached > before) & ~held
        lower = kept < before
        since = np.where(lower & ~up, self.below_since[who], np.nan)
        since = np.where(lower & ~up & np.isnan(since), when, since)
        down = lower & ~up & (when - since >= self._clear_after[rules])
        after = np.where(up, reached, before - down).astype(np.int8)
        moved = up | down
        since[moved] = np.where(kept[moved] < after[moved], when[moved], np.nan)
        self.below_since[who] = since
        self.level[who] = after
        ended = down & (after == NORMAL)
        self.held_until[who[ended]] = when[ended] + self._hold_off[rules[ended]]
        self.held_level[who[ended]] = before[ended]
        self.watch_above[who] = np.where(after > NORMAL, -np.inf, warning * self.limit[who])
        return Moves(looked[moved], before[moved], after[moved])
