"""Patches: how they merge, what makes one document of another, and what is refused."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localhub.twin import PatchError, Properties, Twin, canonical, difference, merge, parse_patch

names = st.text("abc", min_size=1, max_size=2)
scalars = st.booleans() | st.integers(-5, 5) | st.floats(-2, 2) | st.text("xy", max_size=2)
values = st.recursive(scalars | st.lists(scalars, max_size=3), lambda inner: st.dictionaries(names, inner, max_size=3))
documents = st.dictionaries(names, values, max_size=4)
patches = st.dictionaries(
    names, st.recursive(st.none() | scalars, lambda inner: st.dictionaries(names, inner, max_size=3)), max_size=4
)


@given(documents, documents)
def test_the_difference_makes_one_of_the_other(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert canonical(merge(old, difference(old, new))) == canonical(new)


@given(documents)
def test_nothing_differs_from_itself(document: dict[str, Any]) -> None:
    assert difference(document, document) == {}


@given(documents, patches)
def test_a_patch_leaves_no_null_and_is_idempotent(document: dict[str, Any], patch: dict[str, Any]) -> None:
    once = merge(document, patch)
    assert b"null" not in canonical(once)
    assert canonical(merge(once, patch)) == canonical(once)


@given(documents, patches)
def test_what_a_patch_does_not_name_stays(document: dict[str, Any], patch: dict[str, Any]) -> None:
    merged = merge(document, patch)
    assert {name: merged.get(name) for name in document if name not in patch} == {
        name: value for name, value in document.items() if name not in patch
    }
    assert not [name for name, value in patch.items() if value is None and name in merged]


@pytest.mark.parametrize(
    ("document", "patch", "result"),
    [
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}, {"a": {"b": 3, "c": 2}}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": None}}, {"a": {"c": 2}}),
        ({"a": {"b": 1}}, {"a": None}, {}),
        ({"a": [1, 2, 3]}, {"a": [4]}, {"a": [4]}),
        ({"a": 1}, {"a": {"b": {"c": None, "d": 1}}}, {"a": {"b": {"d": 1}}}),
        ({"a": {"b": 1}}, {"a": "text"}, {"a": "text"}),
    ],
)
def test_merge(document: dict[str, Any], patch: dict[str, Any], result: dict[str, Any]) -> None:
    assert merge(document, patch) == result


def flat(value: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Every leaf by its path; an object is a leaf only while it is empty."""
    if not isinstance(value, dict) or not value:
        return {path: value}
    return {place: leaf for name, inner in value.items() for place, leaf in flat(inner, (*path, name)).items()}


def naive(document: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """A merge leaf by leaf: what stands above or below a new leaf goes, a null takes it away, objects stay."""
    merged: dict[str, Any] = json.loads(json.dumps(document))
    for path, leaf in flat(patch).items():
        here = merged
        for name in path[:-1]:
            if not isinstance(here.get(name), dict):
                here[name] = {}
            here = here[name]
        if not path or (leaf == {} and isinstance(here.get(path[-1]), dict)):
            continue  # an empty object changes nothing
        if leaf is None:
            here.pop(path[-1], None)
        else:
            here[path[-1]] = leaf
    return merged


@given(documents, patches)
def test_merging_is_what_a_naive_merge_leaf_by_leaf_makes(document: dict[str, Any], patch: dict[str, Any]) -> None:
    assert canonical(merge(document, patch)) == canonical(naive(document, patch))


@given(documents, st.lists(patches, max_size=4))
def test_patches_in_order_end_where_the_difference_to_the_end_leads(
    document: dict[str, Any], changes: list[dict[str, Any]]
) -> None:
    half = Properties(document, 1)
    for change in changes:
        half = half.patched(change)
    assert half.version == 1 + len(changes)
    assert canonical(merge(document, difference(document, half.document))) == canonical(half.document)


def test_true_and_one_are_not_the_same() -> None:
    assert difference({"a": 1}, {"a": True}) == {"a": True}
    assert difference({"a": 1}, {"a": 1.0}) == {"a": 1.0}


def test_versions_travel_beside_the_document() -> None:
    twin = Twin(Properties({"a": 1}, 4), Properties({}, 2))
    assert twin.versioned() == {"desired": {"a": 1, "$version": 4}, "reported": {"$version": 2}}
    assert twin.desired.patched({"a": None}) == Properties({}, 5)


def lists(depth: int) -> dict[str, Any]:
    inner: list[Any] = []
    for _ in range(depth - 1):
        inner = [inner]
    return {"list": inner}


def nested(depth: int) -> dict[str, Any]:
    return {"a": nested(depth - 1)} if depth else {}


@pytest.mark.parametrize(
    "patch",
    [
        {},
        {"n" * 1024: 1},
        {"text": "x" * 4096},
        {"least": -(2**52), "most": 2**52 - 1, "fraction": 1e300},
        nested(10),
        {"list": [1, "a", [2], {"b": True}]},
        lists(10),
        {"list": [nested(8)]},
        {"gone": None, "flag": False},
        {"a": "x" * 4000, **{f"b{i}": "x" * 4000 for i in range(7)}},
    ],
)
def test_a_patch_within_the_limits_is_taken(patch: dict[str, Any]) -> None:
    assert parse_patch(json.dumps(patch).encode()) == patch


@pytest.mark.parametrize(
    ("patch", "reason"),
    [
        ([1], "must be a JSON object"),
        ("text", "must be a JSON object"),
        ({"n" * 1025: 1}, "more than 1024 bytes"),
        ({"ä" * 513: 1}, "more than 1024 bytes"),
        ({"text": "x" * 4097}, "more than 4096 bytes"),
        ({"text": "ä" * 2049}, "more than 4096 bytes"),
        ({"number": 2**52}, "outside"),
        ({"number": -(2**52) - 1}, "outside"),
        ({"a": {"number": 2**70}}, "outside"),
        (nested(11), "nested more than 10"),
        (lists(11), "nested more than 10"),
        ({"list": [nested(9)]}, "nested more than 10"),
        ({"list": [{"b": None}]}, "null"),
        ({"list": [{"b": {"c": None}}]}, "null"),
        ({"list": [{"b.c": 1}]}, "holds"),
        ({"list": ["x" * 4097]}, "more than 4096 bytes"),
        ({"list": [{"b": 2**52}]}, "outside"),
        ({"list": [1, None]}, "null"),
        ({"a": {"list": [{"b": [[None]]}]}}, "null"),
        ({"a.b": 1}, "holds"),
        ({"$version": 1}, "holds"),
        ({"a#": 1}, "holds"),
        ({"a b": 1}, "holds"),
        ({"a\u00a0b": 1}, "holds"),
        ({"a\u0007": 1}, "holds"),
        ({"a": {"b\u0085": 1}}, "holds"),
        ({f"b{i}": "x" * 4000 for i in range(9)}, "more than 32768"),
    ],
)
def test_a_patch_over_a_limit_is_refused_with_its_reason(patch: object, reason: str) -> None:
    with pytest.raises(PatchError, match=reason):
        parse_patch(json.dumps(patch).encode())


@given(st.binary(max_size=50))
def test_any_bytes_are_a_patch_or_refused(payload: bytes) -> None:
    with contextlib.suppress(PatchError):
        assert isinstance(parse_patch(payload), dict)
