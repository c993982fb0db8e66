"""Totals of a run, whatever its processes count."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from localhub.carried import Carried


def hub(received: int, dropped: dict[str, int], sent: int) -> dict[str, Any]:
    return {
        "clients": [{"id": "gw1/a"}],
        "counters": {"received": received, "dropped": dropped},
        "rates": {"a": {"in_per_s": 1.0, "out_per_s": 2.0, "bytes_in": sent, "bytes_out": 0}},
        "link": {"state": "up"},
    }


def test_a_restarted_hub_goes_on_where_the_last_one_ended() -> None:
    carried = Carried()
    carried.hub(1, hub(5, {"no_route": 1}, 100))
    carried.hub(1, hub(7, {"no_route": 1}, 120))
    away = carried.hub(1, None)
    assert away["counters"]["received"] == 7
    assert (away["clients"], away["link"]["state"], away["rates"]["a"]["in_per_s"]) == ([], "unknown", 0.0)
    again = carried.hub(2, hub(1, {"ttl": 2}, 10))
    assert again["counters"] == {"received": 8, "dropped": {"no_route": 1, "ttl": 2}}
    assert again["rates"]["a"] == {"in_per_s": 1.0, "out_per_s": 2.0, "bytes_in": 130, "bytes_out": 0}
    assert carried.hub(2, hub(2, {"ttl": 2}, 20))["rates"]["a"]["bytes_in"] == 140


def test_nothing_was_said_yet() -> None:
    carried = Carried()
    assert carried.hub(0, None) == {"clients": [], "rates": {}, "link": {"state": "unknown"}}
    assert carried.cloud(None) is None


def test_what_the_cloud_had_before_is_not_this_runs() -> None:
    carried = Carried()
    assert carried.cloud({"arrivals": 10, "bytes": 500, "last_arrival": None}) == {
        "arrivals": 0,
        "bytes": 0,
        "last_arrival": None,
        "ever": {"arrivals": 10, "bytes": 500},
    }
    now = carried.cloud({"arrivals": 13, "bytes": 600, "last_arrival": "t"})
    assert now is not None
    assert (now["arrivals"], now["bytes"], now["ever"]["arrivals"]) == (3, 100, 13)


@given(st.lists(st.lists(st.integers(0, 100), min_size=1), min_size=1))
def test_the_total_is_the_sum_over_all_lives(lives: list[list[int]]) -> None:
    carried, total = Carried(), 0
    for generation, steps in enumerate(lives, 1):
        count = 0
        for step in steps:
            count += step
            status = carried.hub(generation, hub(count, {"r": count}, count))
        total += count
    assert status["counters"] == {"received": total, "dropped": {"r": total}}
    assert status["rates"]["a"]["bytes_in"] == total
