"""The field's outages in seconds: the link goes and comes, the hub restarts, tokens run out, the cache is killed."""

from __future__ import annotations

import time
from pathlib import Path

from tests.system.cache_line import WINDOW, cache_line

PATTERN = ((1.0, 1.0), (0.5, 3.0))  # seconds up and down
KILLS = len(PATTERN)


def test_a_cut_is_seen_though_nothing_is_sent(tmp_path: Path) -> None:
    with cache_line(tmp_path, per_s=0.001) as line:  # one message, and then none for longer than the test lasts
        beats = line.hub.watch("cache/health")

        def beat(link: str) -> dict[str, object]:
            while True:
                facts: dict[str, object] = beats.one(within_s=60).json["facts"]
                if facts.get("link") == link:
                    return facts

        line.hub.until(line.hub.arrivals, 60, "the only arrival")
        line.hub.link("down")
        assert beat("down")["depth"] == 0
        line.hub.link("up")
        assert beat("up")["depth"] == 0


def test_nothing_is_lost_over_outages_and_kills(tmp_path: Path) -> None:
    with cache_line(tmp_path, per_s=30) as line:
        line.hub.until(line.hub.arrivals, 60, "the first arrival")
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
