"""What is wrong right now: each (module, source, rule) raised and not cleared. Pure; times are passed in.

Two modules may judge one source by rules of one name (vibration's spectrum and inference's model, both `bearing`):
neither speaks for the other.

An alert about one item (a defective part) has no end of its own: it counts for some seconds after it was seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from modules.common.messages import SEVERITIES


@dataclass(frozen=True, slots=True)
class Condition:
    """The newest alert of one (module, source, rule)."""

    alert_id: str
    source: str
    rule: str
    severity: str
    state: str
    text: str
    advice: str | None
    since: float
    """Epoch seconds when it was raised."""
    seen: float
    """Epoch seconds of the newest alert."""
    item: bool = False
    acknowledged: bool = False
    module: str | None = None

    def shown(self) -> dict[str, Any]:
        """As the API shows it; dataclasses.asdict would copy deeply, ten times as long."""
        return {name: getattr(self, name) for name in self.__slots__}

    @property
    def rank(self) -> int:
        """0 info, 1 warning, 2 critical."""
        return SEVERITIES.index(self.severity) if self.severity in SEVERITIES else 1


class Conditions:
    """The newest alert of every condition; those that are over are forgotten."""

    def __init__(self) -> None:
        self._by_key: dict[tuple[str | None, str, str], Condition] = {}
        self._items: set[tuple[str | None, str, str]] = set()
        self._sorted: Sequence[Condition] | None = None  # until something changes

    def take(self, new: Condition) -> None:
        """A newer alert."""
        key = (new.module, new.source, new.rule)
        before = self._by_key.get(key)
        self._sorted = None
        (self._items.add if new.item else self._items.discard)(key)
        if new.state == "cleared":
            self._by_key.pop(key, None)
        elif before is None or new.state == "raised" or new.item:
            self._by_key[key] = new
        else:
            self._by_key[key] = replace(new, since=before.since)

    def acknowledge(self, alert_id: str) -> None:
        """A person has taken care of the condition whose newest alert this is."""
        self._sorted = None
        for key, condition in self._by_key.items():
            if condition.alert_id == alert_id:
                self._by_key[key] = replace(condition, acknowledged=True)

    def resolve(self, alert_id: str) -> None:
        """A person says that the condition whose newest alert this is is over; it stands again when reported again."""
        self._sorted = None
        self._by_key = {key: each for key, each in self._by_key.items() if each.alert_id != alert_id}

    def active(self, now: float, event_holds: float) -> Sequence[Condition]:
        """Those that hold at epoch second `now`, the worst first, machines before parts, then the newest."""
        for key in list(self._items):
            condition = self._by_key.get(key)
            if condition is None or now - condition.seen > event_holds:
                self._items.discard(key)
                self._by_key.pop(key, None)
                self._sorted = None
        if self._sorted is None:
            self._sorted = sorted(
                self._by_key.values(), key=lambda each: (each.acknowledged, -each.rank, each.item, -each.since)
            )
        return self._sorted
