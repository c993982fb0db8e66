"""The last minutes of a few figures, for sparklines. Pure."""

from collections import OrderedDict, deque
from typing import Final

_POINTS: Final = 120
_NAMES: Final = 512


class Trends:
    """Up to 120 values each of up to 512 names; the name that was not added to for longest gives way."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, deque[float]] = OrderedDict()

    def add(self, name: str, value: float) -> None:
        """Add the newest value of `name`."""
        values = self._kept.setdefault(name, deque(maxlen=_POINTS))
        values.append(float(value))
        self._kept.move_to_end(name)
        if len(self._kept) > _NAMES:
            self._kept.popitem(last=False)

    def of(self, name: str) -> list[float]:
        """The values of `name`, oldest first, to six significant digits."""
        return [float(f"{value:.6g}") for value in self._kept.get(name, ())]
