"""The power goes while keys are made and rotated, stores set aside and salvaged: nothing acknowledged is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash.houses import crash_houses
from tests.crash.tally import Tally

OPERATIONS = {"begin", "append", "confirm", "rekey", "retire", "open", "set aside", "ballast"}


def test_the_power_goes_under_a_state_folder(quick_folder: Path) -> None:
    tally = crash_houses(quick_folder, seed=1, moves=40, points=350)
    tally.check()
    assert set(tally.by_operation) == OPERATIONS


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_the_power_goes_under_many_state_folders(quick_folder: Path, show: Callable[[str], None]) -> None:
    tally = Tally()
    for seed in range(200, 210):
        tally.add(crash_houses(quick_folder, seed, moves=60, points=300))
    show(tally.table())
    tally.check()
    assert set(tally.by_operation) == OPERATIONS
