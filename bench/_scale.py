"""Ten thousand gateways on paper: `python -m bench._scale` prints the tables of docs/scale.md. Pure but for reading.

Everything comes from docs/reduction.md, which holds what `python -m bench reduction` measured, and from IoT Hub's own
quotas and prices below. tests/bench/test_scale.py holds docs/scale.md to it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

GATEWAYS: Final = 10_000
HOURS: Final = 24
METER: Final = 4096  # bytes: a message is charged in such pieces
LARGEST: Final = 262_144  # bytes of a message, which is the best that raw data can be packed into
REDUCTION: Final = Path(__file__).parents[1] / "docs" / "reduction.md"
_MEASURED: Final = re.compile(
    r"\*\*(?P<ratio>[\d.]+) of what comes in goes up: (?P<up>[\d.]+) MB of (?P<came>[\d.]+) GB, "
    r"(?P<metered>[\d,]+) metered messages in an hour\.\*\*"
)


@dataclass(frozen=True, slots=True)
class Tier:
    """One of IoT Hub's: messages a day and unit, most units of a hub, sends a second and unit, price a month and unit.

    Quotas: learn.microsoft.com/azure/iot-hub/iot-hub-devguide-quotas-throttling. Prices: www.azure.cn/en-us/pricing/
    details/iot-hub, in yuan with tax, for 744 hours.
    """

    name: str
    messages: int
    most: int
    sends_per_s: int
    price: float


TIERS: Final = (
    Tier("S1", 400_000, 200, 12, 254.40),
    Tier("S2", 6_000_000, 200, 120, 2_544.00),
    Tier("S3", 300_000_000, 10, 6_000, 25_440.00),
)


@dataclass(frozen=True, slots=True)
class Hour:
    """What one gateway's hour comes to: bytes in and up, and messages up as IoT Hub meters them."""

    came: float
    went: float
    metered: int

    @classmethod
    def measured(cls, text: str) -> Hour:
        """From docs/reduction.md; raises ValueError when it does not say so."""
        found = _MEASURED.search(text)
        if found is None:
            raise ValueError("docs/reduction.md does not say what goes up in an hour")
        metered = int(found["metered"].replace(",", ""))
        return cls(float(found["came"]) * 1e9, float(found["up"]) * 1e6, metered)

    def raw(self) -> Hour:
        """The same hour with everything sent as it comes, packed into the largest messages."""
        return Hour(self.came, self.came, math.ceil(self.came / METER))


@dataclass(frozen=True, slots=True)
class Need:
    """What the fleet needs of a tier."""

    tier: Tier
    units: int
    hubs: int
    price: float


def daily(hour: Hour) -> int:
    """Metered messages of the fleet in a day."""
    return hour.metered * HOURS * GATEWAYS


def needs(hour: Hour) -> list[Need]:
    """Units by the day's quota, and hubs by the most units of one, for each tier; prices by the month."""
    found = []
    for tier in TIERS:
        units = math.ceil(daily(hour) / tier.messages)
        found.append(Need(tier, units, math.ceil(units / tier.most), units * tier.price))
    return found


def tables() -> Iterator[str]:
    """The lines of docs/scale.md that are computed."""
    hour = Hour.measured(REDUCTION.read_text(encoding="utf-8"))
    raw = hour.raw()
    yield "| | at the measured reduction | everything raw |"
    yield "|---|---|---|"
    yield f"| bytes up, one gateway, an hour | {hour.went / 1e6:,.1f} MB | {raw.went / 1e9:,.2f} GB |"
    yield f"| metered messages, one gateway, an hour | {hour.metered:,} | {raw.metered:,} |"
    millions = f"{daily(hour) / 1e6:,.0f} million | {daily(raw) / 1e6:,.0f} million"
    yield f"| metered messages, {GATEWAYS:,} gateways, a day | {millions} |"
    yield f"| bytes up, {GATEWAYS:,} gateways, a day | {_fleet(hour) / 1e12:,.2f} TB | {_fleet(raw) / 1e12:,.0f} TB |"
    for reduced, whole in zip(needs(hour), needs(raw), strict=True):
        yield f"| {reduced.tier.name}: units, hubs, yuan a month | {_need(reduced)} | {_need(whole)} |"
    sends = hour.metered * GATEWAYS / 3600
    yield f"| sends a second, on average | {sends:,.0f} | {raw.went * GATEWAYS / LARGEST / 3600:,.0f} |"


def _fleet(hour: Hour) -> float:
    return hour.went * HOURS * GATEWAYS


def _need(need: Need) -> str:
    return f"{need.units:,}, {need.hubs:,}, {need.price:,.0f}"


if __name__ == "__main__":
    for line in tables():
        print(line)
