from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from modules.common.settings import Desired, Settings, SettingsError, environment, merge, validate

JSON = st.recursive(
    st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner | st.none(), max_size=3),
    max_leaves=6,
)
DOCUMENTS = st.dictionaries(st.sampled_from("abc"), JSON | st.none(), max_size=3)


class Inner(Settings):
    deep: int = 1


class Watch(Settings):
    """Field descriptions stand in the code; the page and the manifest's reader use them."""

    limit: float = Field(default=10.0, gt=0, title="Limit", description="Above it a reading is critical", examples=[10])
    name: str = "line"
    inner: Inner = Inner()


def has_null(value: object) -> bool:
    return value is None or (isinstance(value, dict) and any(map(has_null, value.values())))


@given(DOCUMENTS, DOCUMENTS)
def test_merge_is_the_twins(base: dict[str, Any], patch: dict[str, Any]) -> None:
    clean = merge({}, base)
    assert not has_null(clean)
    merged = merge(clean, patch)
    assert not has_null(merged)
    assert merge(merged, patch) == merged
    assert merge(clean, {}) == clean
    for key, value in patch.items():
        if value is None:
            assert key not in merged
        elif not isinstance(value, dict):
            assert merged[key] == value


def test_environment_lies_over_defaults_and_under_the_twin() -> None:
    base = environment(Watch, {"MILLWATCH_LIMIT": "20", "MILLWATCH_NAME": "press 4", "MILLWATCH_OTHER": "1"})
    start = Desired.start(Watch, base)
    assert (start.settings.limit, start.settings.name) == (20, "press 4")
    pulled = start.pulled({"settings": {"limit": 30, "inner": {"deep": 2}}, "$version": 1})
    assert (pulled.settings.limit, pulled.settings.name, pulled.settings.inner.deep) == (30, "press 4", 2)
    taken_back = pulled.patched({"settings": {"limit": None}, "$version": 2})
    assert taken_back.settings.limit == 20
    assert taken_back.patched({"settings": None, "$version": 3}).settings == start.settings


@pytest.mark.parametrize(
    "bad", [{"limit": 0}, {"limit": "x"}, {"limt": 3}, {"inner": {"deep": "x"}}, {"inner": 3}, {"limit": [1]}]
)
def test_a_bad_value_keeps_the_last_good_settings_and_says_which_field(bad: dict[str, Any]) -> None:
    good = Desired.start(Watch, {}).pulled({"settings": {"limit": 30}, "$version": 1})
    after = good.patched({"settings": bad, "$version": 2})
    assert after.settings == good.settings
    report: Any = after.report()["settings"]
    assert (report["version"], report["ok"]) == (2, False)
    assert next(iter(bad)) in report["error"]
    mended = after.patched({"settings": dict.fromkeys(bad), "$version": 3})
    assert mended.error == ""


VALUES = st.none() | st.booleans() | st.floats() | st.text(max_size=3)


@given(
    VALUES
    | st.lists(VALUES, max_size=2)
    | st.dictionaries(
        st.sampled_from(["limit", "name", "inner", "x"]), VALUES | st.dictionaries(st.text(), VALUES, max_size=2)
    )
)
def test_no_desired_document_stops_a_module(value: Any) -> None:
    start = Desired.start(Watch, {})
    for after in (
        start.pulled({"settings": value, "$version": 1}),
        start.pulled({"$version": value}),
        start.patched({"settings": value, "$version": value}),
    ):
        assert isinstance(after.settings, Watch)
        assert len(after.error) <= 1000


def test_only_the_next_version_follows() -> None:
    known = Desired.start(Watch, {}).pulled({"$version": 4})
    assert known.follows({"$version": 5})
    assert not any(known.follows({"$version": version}) for version in (3, 4, 6, None))
    assert not Desired.start(Watch, {}).follows({"$version": 1})


def test_a_wrong_environment_says_so_at_once() -> None:
    with pytest.raises(SettingsError, match="limit"):
        Desired.start(Watch, {"limit": -1})
    with pytest.raises(SettingsError, match="limit"):
        validate(Watch, {"limit": float("inf")})


def test_an_edgehub_that_knows_no_twin_changes_nothing() -> None:
    known = Desired.start(Watch, {}).pulled({"settings": {"limit": 30}, "$version": 4})
    assert known.pulled({}) == known
    assert known.pulled({"settings": {"limit": 5}}) == known
