from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.status.queue import queue_of

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
JUST_NOW, LONG_AGO = "2026-01-02T03:04:04.000Z", "2026-01-02T02:00:00.000Z"


def cache(depth: int = 3, age: float = 0.5, **changed: Any) -> dict[str, Any]:
    rows = [{"priority": 0, "depth": depth, "bytes": 90, "oldest_age_s": age}, {"priority": 1, "depth": 0}]
    return {"depth": depth, "bytes": 90, "priorities": rows, "last_confirmed": JUST_NOW} | changed


@pytest.mark.parametrize(
    ("facts", "link"),
    [
        (cache(), "up"),
        (cache(age=600), "up"),  # a long queue that drains
        (cache(age=2, last_confirmed=LONG_AGO), "up"),  # nothing was sent for an hour, and now something just came
        (cache(age=6, last_confirmed=LONG_AGO), "down"),
        (cache(depth=0, last_confirmed=LONG_AGO), "up"),
        (cache(age=6, last_confirmed=None), "down"),
        (cache(depth=0, last_confirmed=None), "unknown"),
        (cache(last_confirmed="yesterday"), "unknown"),
        (cache(link="slow"), "slow"),
    ],
)
def test_the_link_is_judged_by_what_the_cloud_has_confirmed(facts: dict[str, Any], link: str) -> None:
    assert queue_of(facts, NOW)["link"] == link


def test_the_queue_is_told_in_one_set_of_words() -> None:
    drops = [{"priority": 2, "reason": "full", "n": 3}, {"priority": 1, "reason": "full", "n": 1}]
    queue = queue_of(cache(age=7, outage_hours_left=60.5, dropped=drops), NOW)
    assert (queue["oldest_s"], queue["hours_left"], queue["dropped"]) == (7, 60.5, {"full": 4})


PARTS = st.none() | st.booleans() | st.floats() | st.text(max_size=2)
NAMES = st.sampled_from(
    ["depth", "bytes", "priorities", "dropped", "last_confirmed", "queue", "sensors", "name", "limit"]
)


@given(st.dictionaries(NAMES, PARTS | st.lists(st.dictionaries(NAMES, PARTS, max_size=3), max_size=2), max_size=5))
def test_nothing_a_module_says_breaks_the_page(document: dict[str, Any]) -> None:
    assert isinstance(queue_of(document, NOW)["depth"], int)
