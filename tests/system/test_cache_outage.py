"""The field's outages in seconds: the link goes and comes, the hub restarts, tokens run out, the cache is killed."""

from __future__ import annotations

import time
from pathlib import Path

from tests.system.cache_line import WINDOW, cache_line

PATTERN = ((1.0, 1.0), (0.5, 3.0))  # seconds up and down
KILLS = len(PATTERN)


def test_nothing_is_lost_over_outages_and_kills(tmp_path: Path) -> None:
    with cache_line(tmp_path, per_s=30) as line:
        line.hub.until(line.hub.arrivals, 30, "the first arrival")
        for up_s, down_s in PATTERN:
            time.sleep(up_s)
            line.hub.link("down")
            time.sleep(down_s / 2)
            line.kill_cache()
            time.sleep(down_s / 2)
            line.hub.link("up")
        line.hub.restart("hub")
        line.renew_token("cache")
        line.renew_token("source")
        count = line.end()
    assert count.sent > 50
    assert (count.missing, count.reordered, count.differing) == (0, 0, 0)
    assert count.repeats <= WINDOW * (KILLS + 1)
