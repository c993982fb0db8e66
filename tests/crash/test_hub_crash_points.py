"""The power goes under localhub's hub at any moment: messages, sessions and twins are there, and in order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash.hublife import crash_hub
from tests.crash.tally import Tally

OPERATIONS = {"open", "append", "deliver", "expire", "session", "twin", "tidy"}


@pytest.mark.parametrize("seed", [1, 2])
def test_the_power_goes_under_the_hub(quick_folder: Path, seed: int) -> None:
    tally = crash_hub(quick_folder, seed, commits=150, points=500)
    tally.check()
    assert set(tally.by_operation) == OPERATIONS


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_the_power_goes_ten_thousand_times_under_the_hub(quick_folder: Path, show: Callable[[str], None]) -> None:
    tally = Tally()
    for seed in range(100, 120):
        tally.add(crash_hub(quick_folder, seed, commits=250, points=500))
    show(tally.table())
    tally.check()
