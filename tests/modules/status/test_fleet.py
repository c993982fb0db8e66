"""What the fleet is told: small, steady, and names that a twin takes."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.common.settings import merge
from modules.status.fleet import key, patch, roughly, summary

TWIN = 32 * 1024


def told(**changed: Any) -> dict[str, Any]:
    given_: dict[str, Any] = {
        "line": {"level": "ok", "headline": "The line is all right"},
        "active": {"critical": 0, "warning": 1, "info": 0, "unhandled": 1},
        "queue": {"depth": 1234, "oldest_s": 61.0, "hours_left": 60.53, "dropped": {"full": 2, "expired": 3}},
        "links": {"cloud": {"state": "up", "since": "2026-01-02T00:00:00.000Z", "seconds": 5}},
        "modules": [{"name": "camera", "version": "0.1.0", "state": "ok"}],
        "models": {"tile": {"drift": 0.0312}, "steel": {"drift": {"state": "drifting"}}, "bearing": {}},
    }
    return summary(**given_ | changed)


def test_a_gateway_in_a_few_lines() -> None:
    assert told() == {
        "level": "ok",
        "headline": "The line is all right",
        "alerts": {"critical": 0, "warning": 1, "info": 0, "unhandled": 1},
        "link": {"cloud": {"state": "up", "since": "2026-01-02T00:00:00.000Z"}},
        "queue": {"depth": 1000, "oldest_s": 60, "hours_left": 60, "dropped": 5},
        "modules": {"camera": {"version": "0.1.0", "state": "ok"}},
        "drift": {"tile": 0.03, "steel": "drifting"},
    }


def test_a_queue_that_breathes_is_no_change() -> None:
    assert patch(told(), told(queue={"depth": 1301, "oldest_s": 62, "hours_left": 61, "dropped": {"full": 5}})) == {}


def test_the_largest_line_stays_well_below_a_twin() -> None:
    many = [{"name": f"m{number}" + "n" * 300, "version": "v" * 300, "state": "silent"} for number in range(500)]
    models = {f"model{number}" + "n" * 300: {"drift": "d" * 300} for number in range(500)}
    line = {"level": "stop", "headline": "h" * 5000}
    assert len(orjson.dumps(told(modules=many, models=models, line=line))) < TWIN // 3


VALUES = st.integers() | st.text(max_size=3)
NESTED = st.dictionaries(st.sampled_from("abcd"), VALUES | st.dictionaries(st.sampled_from("xyz"), VALUES, max_size=3))


@given(NESTED, NESTED)
def test_a_patch_makes_one_summary_into_the_other(before: dict[str, Any], now: dict[str, Any]) -> None:
    changed = patch(before, now)
    after = merge(before, changed)
    assert {name: value for name, value in after.items() if value != {}} == {
        name: value for name, value in now.items() if value != {}
    }
    assert (changed == {}) == (before == now)


@given(st.text(max_size=100))
def test_names_are_such_as_a_twin_takes(name: str) -> None:
    assert 0 < len(key(name)) <= 64
    assert not set(key(name)) & set(".$# \n\t")


@pytest.mark.parametrize(
    ("value", "rough"), [(0, 0), (7, 7), (1499, 1000), (0.0312, 0.03), (float("inf"), 0), (None, 0), (-27, -30)]
)
def test_one_digit_is_enough(value: object, rough: float) -> None:
    assert roughly(value) == rough
