"""Who is who: names of sensors, their row in the arrays, their rule and unit."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from modules.vibration.columns import IntArray
from modules.vibration.scalar.rules import ANY_SENSOR, Rule

# Factor and offset into another unit: to = from * factor + offset. SenML names and registered secondary units
# (RFC 8428 table 12, RFC 8798 table 1), and what gauges on shop floors really send.
CONVERSIONS: dict[tuple[str, str], tuple[float, float]] = {
    ("K", "Cel"): (1.0, -273.15),
    ("Cel", "K"): (1.0, 273.15),
    ("degF", "Cel"): (5 / 9, -160 / 9),
    ("mm/s", "m/s"): (1e-3, 0.0),
    ("m/s", "mm/s"): (1e3, 0.0),
    ("g", "m/s2"): (9.80665, 0.0),
    ("m/s2", "g"): (1 / 9.80665, 0.0),
    ("hPa", "Pa"): (1e2, 0.0),
    ("kPa", "Pa"): (1e3, 0.0),
    ("MPa", "Pa"): (1e6, 0.0),
    ("bar", "Pa"): (1e5, 0.0),
    ("mA", "A"): (1e-3, 0.0),
    ("mV", "V"): (1e-3, 0.0),
    ("kW", "W"): (1e3, 0.0),
    ("ms", "s"): (1e-3, 0.0),
    ("mm", "m"): (1e-3, 0.0),
    ("1/min", "Hz"): (1 / 60, 0.0),
    ("Hz", "1/min"): (60.0, 0.0),
}

_MOST_UNITS = 1000  # names of units are text from outside: memory stays flat whatever is sent


class _Rows(dict[str, int]):
    """Name to row; a name not seen before is given the next row, or -1 once all rows are taken."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def __missing__(self, name: str) -> int:
        if len(self) >= self.most:
            return -1
        row = len(self)
        self[name] = row
        return row


class Sensors:
    """The directory of sensors. Rows are handed out in order of first appearance and never change."""

    def __init__(self, rules: Sequence[Rule], most: int, listed: Mapping[str, Rule] | None = None) -> None:
        self._rows = _Rows(most)
        self.names: list[str] = []
        self.rule: IntArray = np.zeros(0, dtype=np.intp)
        self._units: dict[str | None, int] = {None: 0}
        self._unit: NDArray[np.int32] = np.zeros(0, dtype=np.int32)
        self.configure(rules, listed)

    def __len__(self) -> int:
        return len(self.names)

    def configure(self, rules: Sequence[Rule], listed: Mapping[str, Rule] | None = None) -> None:
        """Take the rules and judge every known sensor anew by them.

        `listed`: rules of single sensors by name; for these no pattern counts.
        """
        distinct = dict.fromkeys((listed or {}).values())
        self.rules = [*rules, ANY_SENSOR, *distinct]
        number = {rule: len(rules) + 1 + place for place, rule in enumerate(distinct)}
        self._listed = {name: number[rule] for name, rule in (listed or {}).items()}
        self._patterned = len(rules) + 1
        self.rule = np.array([self._rule_of(name) for name in self.names], dtype=np.intp)
        for row, number in enumerate(self.rule):
            unit = self.rules[number].unit
            if unit is not None:
                self._unit[row] = self._unit_number(unit)

    def bound(self, most: int) -> None:
        """Admit sensors up to `most` in all; those known stay."""
        self._rows.most = most

    def row(self, name: str) -> int | None:
        """Return the row of a known sensor."""
        return self._rows.get(name)

    def unit(self, row: int) -> str | None:
        """Return the unit a sensor's values are kept in."""
        number = int(self._unit[row])
        return next(unit for unit, known in self._units.items() if known == number)

    def resolve(self, names: Sequence[str]) -> IntArray:
        """Return the row of every name, intp[n]; -1 where the directory is full."""
        rows = np.fromiter(map(self._rows.__getitem__, names), dtype=np.intp, count=len(names))
        if len(self._rows) > len(self.names):
            self._admit()
        return rows

    def convert(self, rows: IntArray, values: NDArray[np.float64], units: Sequence[str | None]) -> NDArray[np.bool_]:
        """Bring `values` into their sensors' units in place; return which have a unit that does not fit.

        A sensor without a unit by rule takes that of its first reading that has one. A reading without a unit is
        taken to be in the sensor's.
        """
        wrong = np.zeros(rows.size, dtype=np.bool_)
        if units and units.count(units[0]) == len(units):
            number = self._unit_number(units[0])
            if number == 0:
                return wrong
            given = np.full(rows.size, number, dtype=np.int32)
        else:
            given = np.fromiter(map(self._unit_number, units), dtype=np.int32, count=len(units))
        odd = np.flatnonzero((given != self._unit[rows]) & (given != 0))
        if not odd.size:
            return wrong
        without = odd[self._unit[rows[odd]] == 0]
        self._unit[rows[without[::-1]]] = given[without[::-1]]
        pairs, which = np.unique(np.stack([given[odd], self._unit[rows[odd]]]), axis=1, return_inverse=True)
        for number, (unit, own) in enumerate(pairs.T.tolist()):
            places = odd[which == number]
            scale = self._scale(unit, own)
            if scale is None:
                wrong[places] = True
            else:
                values[places] = values[places] * scale[0] + scale[1]
        return wrong

    def saved(self) -> tuple[list[str], list[str | None]]:
        """Return names and units for a snapshot."""
        units = {number: unit for unit, number in self._units.items()}
        return list(self.names), list(map(units.get, self._unit[: len(self)].tolist()))

    def restore(self, names: Sequence[str], units: Sequence[str | None]) -> None:
        """Put saved names back into an empty directory. Raises ValueError when the lists do not fit each other."""
        if len(names) != len(units) or len(set(names)) != len(names):
            raise ValueError("saved sensors are not distinct names with a unit each")
        self.resolve(names)
        fixed = [self.rules[number].unit for number in self.rule]
        self._unit[: len(self)] = [self._unit_number(rule or unit) for rule, unit in zip(fixed, units, strict=True)]

    def _admit(self) -> None:
        new = list(self._rows)[len(self.names) :]
        numbers = [self._rule_of(name) for name in new]
        units = [self._unit_number(self.rules[number].unit) for number in numbers]
        self.names.extend(new)
        self.rule = np.concatenate([self.rule, np.array(numbers, dtype=np.intp)])
        self._unit = np.concatenate([self._unit, np.array(units, dtype=np.int32)])

    def _rule_of(self, name: str) -> int:
        if name in self._listed:
            return self._listed[name]
        return next(number for number, rule in enumerate(self.rules[: self._patterned]) if rule.fits(name))

    def _unit_number(self, unit: str | None) -> int:
        if unit not in self._units and len(self._units) >= _MOST_UNITS:
            return -1
        return self._units.setdefault(unit, len(self._units))

    def _scale(self, given: int, own: int) -> tuple[float, float] | None:
        if given == own:
            return (1.0, 0.0)
        units = {number: unit for unit, number in self._units.items()}
        return CONVERSIONS.get((units.get(given) or "", units.get(own) or ""))
