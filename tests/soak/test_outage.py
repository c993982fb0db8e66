"""The outage pattern of edgeHub's own long-haul tests at a scale of 1:60, and kills of the real module.

Minutes up and down there are seconds here: 5/5 five times, 10/10 and 15/15 three times, 30/30 twice, 5/20 three
times. The hub restarts and the tokens run out while the link is up and while it is away.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.cache_line import WINDOW, cache_line

PATTERN = ((5, 5),) * 5 + ((10, 10),) * 3 + ((15, 15),) * 3 + ((30, 30),) * 2 + ((5, 20),) * 3
KILLS = 20


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_the_fields_outages(tmp_path: Path, show: Callable[[str], None]) -> None:
    restarts = 0
    with cache_line(tmp_path, per_s=50) as line:
        line.hub.until(line.hub.arrivals, 30, "the first arrival")
        for number, (up_s, down_s) in enumerate(PATTERN):
            time.sleep(up_s / 2)
            if number % 4 == 1:
                line.hub.restart("hub", kill=True)
                restarts += 1
            line.renew_token("cache")
            time.sleep(up_s / 2)
            line.hub.link("down")
            time.sleep(down_s / 2)
            if number % 4 == 3:
                line.hub.restart("hub")
                restarts += 1
            line.renew_token("source" if number % 2 else "cache")
            time.sleep(down_s / 2)
            line.hub.link("up")
        count = line.end()
    show(f"{len(PATTERN)} outages, {restarts} restarts of the hub, {2 * len(PATTERN)} token renewals: {count}")
    assert (count.missing, count.reordered, count.differing) == (0, 0, 0)
    assert count.repeats <= WINDOW * restarts


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_twenty_kills_of_the_module(tmp_path: Path, show: Callable[[str], None]) -> None:
    dice = random.Random(8)
    with cache_line(tmp_path, per_s=50) as line:
        line.hub.until(line.hub.arrivals, 30, "the first arrival")
        for number in range(KILLS):
            line.hub.link("down" if number % 4 == 2 else "up")
            time.sleep(dice.uniform(0.2, 4.0))
            line.kill_cache()
        count = line.end()
    show(f"{KILLS} kills of the module, seed 8: {count}")
    assert (count.missing, count.reordered, count.differing) == (0, 0, 0)
    assert count.repeats <= WINDOW * KILLS
