"""The power goes at any moment: what was acknowledged is there, what was not is there whole or not at all."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.crash.points import crash
from tests.crash.tally import Tally

OPERATIONS = {"append", "commit", "evict", "hand", "confirm", "delete", "rekey", "vacuum", "rewind", "open"}
OPERATIONS |= {"erase", "batch"}


@pytest.mark.parametrize(("kind", "seed", "points"), [("small", 0, 700), ("large", 1, 300), ("outage", 2, 150)])
def test_the_power_goes(kind: str, seed: int, points: int) -> None:
    tally = crash(kind, seed, points)
    tally.check()
    assert tally.total().crashes == points


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_the_power_goes_ten_thousand_times(show: Callable[[str], None]) -> None:
    tally = Tally()
    for seed in range(100, 120):
        tally.add(crash(("small", "large", "outage", "small")[seed % 4], seed, 500))
    show(tally.table())
    tally.check()
    assert set(tally.by_operation) >= OPERATIONS
    assert min(cost.crashes for cost in tally.by_operation.values()) >= 200
