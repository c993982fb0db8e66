"""The rule for settings changed here and in the cloud meanwhile, step by step and against all small histories."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from modules.common.local import (
    MOST,
    MOST_ENDED,
    Locals,
    LocalSettingError,
    changed,
    from_json,
    given_way,
    gone,
    overlay,
    property_name,
    report,
    settled,
    to_json,
)
from modules.common.settings import merge


def here(
    known: Locals, patch: object, wanted: dict[str, Any] | None = None, version: int = 5, at: str = "10:00"
) -> Locals:
    return changed(known, patch, wanted=wanted or {}, version=version, who="anna", why="glare", at=at)


def states(known: Locals) -> dict[str, str]:
    return {name: fields["state"] for name, fields in report(known).items()}


def test_what_was_set_here_lies_over_the_twin_and_says_over_which_version() -> None:
    known = here((), {"limit": 20, "gate": {"mode": "every", "area": 0.1}}, {"limit": 10}, version=7)
    assert overlay(known) == {"limit": 20, "gate": {"mode": "every", "area": 0.1}}
    assert report(known)["limit"] == {
        "value": 20, "state": "in force", "base": 7, "who": "anna", "why": "glare", "at": "10:00"
    }  # fmt: skip
    assert set(report(known)) == {"limit", "gate/mode", "gate/area"}


def test_the_later_version_of_the_cloud_wins_and_the_local_change_stays_on_record() -> None:
    known = settled(here((), {"limit": 20}, {"limit": 10}), {"limit": 30}, 6)
    assert overlay(known) == {}
    told = report(known)["limit"]
    assert (told["state"], told["value"], told["base"], told["version"], told["cloud"]) == ("overridden", 20, 5, 6, 30)
    assert settled(known, {"limit": 40}, 7) == known


@pytest.mark.parametrize(
    ("wanted", "version", "state"),
    [
        ({"limit": 10, "other": 1}, 9, "in force"),  # changed elsewhere
        ({"limit": 11}, 5, "in force"),  # no later version
        ({"limit": 11}, None, "in force"),  # edgeHub knows no twin: nothing is decided
        ({"limit": 20}, 6, "adopted"),
        ({}, 6, "overridden"),  # taken out of the twin: back to the default
        ({"limit": 10.0}, 6, "overridden"),
    ],
)
def test_what_counts_as_the_clouds_word(wanted: dict[str, Any], version: int | None, state: str) -> None:
    assert states(settled(here((), {"limit": 20}, {"limit": 10}), wanted, version)) == {"limit": state}


def test_a_camera_that_the_cloud_takes_away_is_not_brought_back_by_a_setting_of_it() -> None:
    known = here((), {"cameras": {"line1": {"quality": 60}}}, {"cameras": {"line1": {"rate": 5}}})
    assert states(settled(known, {"cameras": {"line1": {"rate": 6}}}, 6)) == {"cameras/line1/quality": "in force"}
    gone_with_it: list[dict[str, Any]] = [{"cameras": {}}, {}, {"cameras": 3}]
    for without in gone_with_it:
        assert states(settled(known, without, 6)) == {"cameras/line1/quality": "overridden"}
    added = here((), {"cameras": {"line1": {"quality": 60}}}, {})
    assert states(settled(added, {"cameras": {"line1": {"rate": 6}}}, 6)) == {"cameras/line1/quality": "in force"}


def test_a_twin_made_anew_keeps_what_was_set_here_and_counts_from_then_on() -> None:
    known = settled(here((), {"limit": 20}, {"limit": 10}, version=57), {"limit": 11}, 1)
    assert states(known) == {"limit": "in force"}
    assert settled(known, {"limit": 11}, 2) == known
    assert states(settled(known, {"limit": 12}, 2)) == {"limit": "overridden"}


def test_a_null_takes_back_and_a_new_change_takes_the_place_of_the_old() -> None:
    known = here((), {"gate": {"mode": "every", "area": 0.1}})
    assert states(here(known, {"gate": {"mode": None}})) == {"gate/area": "in force"}
    assert overlay(here(known, {"gate": [1]}, at="11:00")) == {"gate": [1]}
    again = here(settled(known, {"gate": {"mode": "motion"}}, 6), {"gate": {"mode": "every"}}, version=6, at="11:00")
    assert states(again) == {"gate/area": "in force", "gate/mode": "in force"}
    assert gone(again, ["limit", "gate/mode"]) == {"limit": None}


def test_a_command_delivered_twice_does_not_come_back_after_the_cloud_has_spoken() -> None:
    known = settled(here((), {"limit": 20}, {"limit": 10}), {"limit": 30}, 6)
    assert here(known, {"limit": 20}, {"limit": 30}, version=6) == known
    assert states(here(known, {"limit": 20}, {"limit": 30}, version=6, at="11:00")) == {"limit": "in force"}


@pytest.mark.parametrize(
    ("patch", "text"),
    [
        (None, "name the settings"),
        ([1], "name the settings"),
        ({}, "name the settings"),
        ({"gate": {}}, "gate: an empty object"),
        ({"a": {"b": "x" * 300}}, "a.b: the value has 302 bytes"),
        ({"x" * 201: 1}, "longer than 200"),
        ({"n": 2**70}, "no JSON"),
        ({f"n{number}": 1 for number in range(MOST + 1)}, f"at most {MOST}"),
    ],
)
def test_what_cannot_be_set_here_is_refused_in_words(patch: object, text: str) -> None:
    with pytest.raises(LocalSettingError, match=text):
        here(here((), {"known": 1}), patch)


def test_what_ended_is_kept_up_to_a_bound_the_newest_of_it() -> None:
    known: Locals = ()
    for number in range(1, MOST_ENDED + 4):
        known = here(known, {f"n{number}": 1}, version=number)
        known = settled(known, {f"n{number}": 2}, number + 1)
    assert len(known) == MOST_ENDED
    assert known[-1].path == (f"n{MOST_ENDED + 3}",)


def test_the_newest_gives_way_first() -> None:
    known = here(here((), {"low": 8}), {"high": 9})
    assert states(given_way(known, {"high": 3}, 6)) == {"low": "in force", "high": "overridden"}
    assert given_way((), {}, 6) == ()


def test_the_fullest_report_fits_one_patch_of_a_twin() -> None:
    def fill(known: Locals, letter: str, count: int) -> Locals:
        for number in range(count):
            name = f"{number:02}{letter * 90}"
            known = changed(
                known,
                {name: "ü" * 120},
                wanted={},
                version=1,
                who="ü" * 99,
                why="ü" * 99,
                at="2026-01-02T03:04:05.678Z",
            )
        return known

    known = fill((), "é", MOST_ENDED)
    known = settled(known, {each.path[0]: "é" * 500 for each in known}, 2)
    known = fill(known, "ö", MOST)
    assert len(known) == MOST + MOST_ENDED
    assert 20_000 < len(json.dumps(report(known), ensure_ascii=False).encode()) < 32 * 1024


def test_names_and_values_are_such_as_a_twin_takes() -> None:
    assert property_name(("line.1", "a/b", "c d$#%\n")) == "line%2E1/a%2Fb/c%20d%24%23%25%0A"
    known = here((), {"list": [1, None], "big": 2**60, "yes": True, "text": "ü"})
    assert {name: fields["value"] for name, fields in report(known).items()} == {
        "list": "[1,null]", "big": str(2**60), "yes": True, "text": "ü"
    }  # fmt: skip


NAMES = st.sampled_from("abc")
LEAVES = st.integers(0, 2) | st.lists(st.integers(0, 1), max_size=1)
TREES: st.SearchStrategy[Any] = st.recursive(
    LEAVES, lambda inner: st.dictionaries(NAMES, inner, min_size=1, max_size=2), max_leaves=4
)
DOCUMENTS = st.dictionaries(NAMES, TREES, max_size=3)
PATCHES = st.dictionaries(NAMES, TREES, min_size=1, max_size=2)


@given(PATCHES, DOCUMENTS, st.lists(DOCUMENTS, max_size=4))
@example({"a": {"a": 0}}, {"a": 0}, [{"a": {"a": 0}}])  # what stood in the way held the value that came to be there
def test_nothing_set_here_disappears_and_what_is_in_force_is_what_the_cloud_left_alone(
    patch: dict[str, Any], base: dict[str, Any], later: list[dict[str, Any]]
) -> None:
    first = known = here((), patch, base, version=1)
    for version, document in enumerate(later, 2):
        known = settled(known, document, version)
        assert settled(known, document, version) == known
        laid = merge(document, overlay(known))
        for each in known:
            if each.in_force:
                assert at(laid, each.path) == each.value
                assert at(document, each.path) == at(base, each.path)
            else:
                assert each.version <= version
    assert [each.path for each in known] == [each.path for each in first]
    assert [each.value for each in known] == [each.value for each in first]
    assert from_json(to_json(known)) == known
    assert not gone(known, report(first))


@given(PATCHES, DOCUMENTS, st.lists(DOCUMENTS, min_size=1, max_size=4))
def test_who_missed_versions_keeps_at_most_what_the_last_one_left_alone(
    patch: dict[str, Any], base: dict[str, Any], later: list[dict[str, Any]]
) -> None:
    """A document pulled after an outage decides as the patches would have, but for a value that came and went."""
    known = here((), patch, base, version=1)
    pulled = settled(known, later[-1], len(later) + 1)
    patched = known
    for version, document in enumerate(later, 2):
        patched = settled(patched, document, version)
    for one, other in zip(pulled, patched, strict=True):
        assert one.in_force or not other.in_force


def at(document: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if not isinstance(document, dict) or name not in document:
            return None
        document = document[name]
    return document
