"""Readings outside what a rule allows beside risk levels: too fast a change, the measuring range, the live range."""

from typing import ClassVar

import numpy as np

from modules.vibration.columns import Columns, FloatArray, IntArray
from modules.vibration.scalar.rules import Rule


class Rates(Columns):
    """How fast every sensor's value changes, measured from an anchor reading at least `rate_over` seconds old."""

    fills: ClassVar = {"time": np.float64(np.nan), "value": np.float64(np.nan)}
    time: FloatArray
    value: FloatArray

    def configure(self, rules: list[Rule]) -> None:
        """Take the rules; without any that limits a rate nothing is done."""
        self._limit = np.array([np.inf if rule.rate is None else rule.rate for rule in rules])
        self._over = np.array([rule.rate_over for rule in rules])
        self.active = bool(np.isfinite(self._limit).any())

    def step(
        self, sensors: IntArray, rule: IntArray, values: FloatArray, times: FloatArray
    ) -> tuple[IntArray, IntArray]:
        """Measure the rate of each of `sensors` (all distinct); `values` in the rule's unit, `times` in seconds.

        Returns positions of the sensors whose rate was measured (an anchor was old enough), and, among these, of those
        whose rate is above its limit.
        """
        rules = rule[sensors]
        limited = np.flatnonzero(np.isfinite(self._limit[rules]))
        who, now, value = sensors[limited], times[limited], values[limited]
        since = now - self.time[who]
        due = since >= self._over[rules[limited]]
        fresh = np.isnan(since)
        measured = np.flatnonzero(due)
        change = np.abs(value[measured] - self.value[who[measured]])
        fast = np.flatnonzero(change > self._limit[rules[limited[measured]]] * since[measured])
        moved = due | fresh
        self.time[who[moved]] = now[moved]
        self.value[who[moved]] = value[moved]
        return limited[measured], fast


class Ranges:
    """Which readings lie at or beyond the ends of a range that some rules name."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.active = False

    def configure(self, rules: list[Rule]) -> None:
        """Take the rules; without any that names the range nothing is done."""
        limits = [getattr(rule, self._name) or (-np.inf, np.inf) for rule in rules]
        self._low, self._high = np.array(limits).T
        self.active = bool(np.isfinite(self._low).any())

    def step(self, sensors: IntArray, rule: IntArray, values: FloatArray) -> IntArray:
        """Return positions of readings at an end or beyond; `values` float64[n] in the rule's unit."""
        rules = rule[sensors]
        return np.flatnonzero((values <= self._low[rules]) | (values >= self._high[rules]))
