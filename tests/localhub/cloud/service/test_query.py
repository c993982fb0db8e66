"""The query language over twins: what is selected, and what a person is told of a mistake."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localhub.cloud.service.query import QueryError, parse, parse_condition

TWIN: dict[str, Any] = {
    "deviceId": "gw1",
    "moduleId": "$edgeAgent",
    "status": "enabled",
    "capabilities": {"iotEdge": True},
    "tags": {"site": {"name": "Ulm", "line": 3}, "none": None},
    "configurations": {"dep-1": {"status": "Applied"}},
    "properties": {
        "desired": {"$version": 7, "rate": 0.5},
        "reported": {"$version": 9, "lastDesiredVersion": 7, "lastDesiredStatus": {"code": 200}},
    },
}


@pytest.mark.parametrize(
    ("condition", "truth"),
    [
        ("tags.site.name = 'Ulm'", True),
        ("tags.site.name = 'ulm'", False),
        ('tags.site.name != "Kiel"', True),
        ("tags.site.line >= 3 AND tags.site.line < 4", True),
        ("tags.site.line > 3 OR status = 'enabled'", True),
        ("NOT tags.site.line = 3", False),
        ("capabilities.iotEdge = true", True),
        ("tags.absent = 1", None),
        ("NOT tags.absent = 1", None),
        ("tags.absent = 1 OR true = true", True),
        ("tags.absent = 1 AND tags.site.line = 4", False),
        ("tags.site.line = '3'", None),
        ("tags.site.line IN [1, 2, 3]", True),
        ("tags.site.name NIN ['Kiel', 'Bonn']", True),
        ("tags.absent NIN ['Kiel']", None),
        ("is_defined(tags.site)", True),
        ("IS_DEFINED(tags.absent)", False),
        ("is_null(tags.none)", True),
        ("startswith(deviceId, 'gw') and endswith(deviceId, '1')", True),
        ("moduleId = '$edgeAgent' AND configurations.[[dep-1]].status = 'Applied'", True),
        ("configurations.[[dep-2]].status = 'Applied'", None),
        ("properties.desired.$version = properties.reported.lastDesiredVersion", True),
        ("properties.reported.lastDesiredStatus.code = 200 AND (status = 'x' OR tags.site.line = 3)", True),
        ("properties.desired.rate <= 0.5", True),
        ("'it''s' = 'it'", "column 5"),
        ("*", True),
    ],
)
def test_conditions(condition: str, truth: bool | str | None) -> None:
    if isinstance(truth, str):
        with pytest.raises(QueryError, match=truth):
            parse_condition(condition)
    else:
        assert parse_condition(condition)(TWIN) is truth


def test_columns() -> None:
    query = parse("select deviceId, tags.site.line as line, tags.absent from devices.modules where is_defined(tags)")
    assert query.scope.modules
    assert query.selects(TWIN)
    assert query.row(TWIN) == {"deviceId": "gw1", "line": 3}
    every = parse("SELECT * FROM devices")
    assert (every.scope.modules, every.row(TWIN)) == (False, TWIN)
    assert parse("SELECT COUNT() AS n FROM devices").counted == "n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT", r"column 7: 'the end' stands where \*, COUNT\(\) or a property"),
        ("SELECT * FROM jobs", "column 15: 'jobs' stands where devices"),
        ("SELECT * FROM devices WHERE", "column 28: 'the end'"),
        ("SELECT * FROM devices WHERE status ~ 1", "column 36: '~'"),
        ("SELECT * FROM devices WHERE status 'a'", "one of = !="),
        ("SELECT * FROM devices WHERE length(status) = 1", "one of the functions is_defined"),
        ("SELECT status, COUNT() AS n FROM devices GROUP BY status", "a property"),
        ("SELECT status FROM devices GROUP BY status", "GROUP BY is not understood"),
        ("SELECT * FROM devices WHERE status IN []", "a property, a text"),
        ("SELECT * FROM devices WHERE (status = 'a'", r"where \) was"),
    ],
)
def test_mistakes_are_told_with_their_column(text: str, said: str) -> None:
    with pytest.raises(QueryError, match=said):
        parse(text)


@given(st.text(alphabet=string.printable, max_size=60), st.sampled_from(["", "SELECT * FROM devices WHERE "]))
def test_no_text_breaks_it(text: str, before: str) -> None:
    try:
        parse(before + text).selects(TWIN)
    except QueryError as error:
        assert str(error).startswith("column")  # noqa: PT017  any other text is understood


@given(st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=4))
def test_not_of_and_is_or_of_nots(truths: list[bool | None]) -> None:
    words = {True: "1 = 1", False: "1 = 2", None: "absent = 1"}
    conjunction = " AND ".join(words[truth] for truth in truths)
    disjunction = " OR ".join(f"NOT {words[truth]}" for truth in truths)
    assert parse_condition(f"NOT ({conjunction})")({}) is parse_condition(disjunction)({})


@pytest.mark.parametrize(
    ("where", "devices", "names"),
    [
        ("deviceId = 'a'", {"a"}, None),
        ("deviceId IN ['a', 'b'] AND moduleId = 'status' AND tags.x = 1", {"a", "b"}, {"status"}),
        ("(deviceId = 'a' AND tags.x = 1) AND deviceId IN ['a', 'b']", {"a"}, None),
        ("deviceId = 'a' OR tags.x = 1", None, None),
        ("tags.x = 1 OR deviceId = 'a'", None, None),
        ("NOT deviceId = 'a'", None, None),
        ("deviceId NIN ['a']", None, None),
        ("deviceId != 'a'", None, None),
        ("deviceId > 'a'", None, None),
        ("deviceId = tags.x", None, None),
        ("tags.deviceId = 'a'", None, None),
        ("deviceId.x = 'a'", None, None),
        ("deviceId = 1", None, None),
        ("deviceId IN [1, 'a']", {"a"}, None),
    ],
)
def test_ids_bound_where_to_look(where: str, devices: set[str] | None, names: set[str] | None) -> None:
    scope = parse(f"SELECT * FROM devices.modules WHERE {where}").scope
    assert (scope.devices, scope.names) == (devices, names)


IDS = st.sampled_from(["a", "b", "c"])
ATOMS = st.one_of(
    st.builds("deviceId = '{}'".format, IDS),
    st.builds("moduleId = '{}'".format, IDS),
    st.builds("deviceId IN ['{}', '{}']".format, IDS, IDS),
    st.builds("moduleId NIN ['{}']".format, IDS),
    st.builds("tags.x = '{}'".format, IDS),
)
CONDITIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds("{} AND {}".format, inner, inner),
        st.builds("({} OR {})".format, inner, inner),
        st.builds("{} OR {}".format, inner, inner),
        st.builds("NOT ({})".format, inner),
        st.builds("NOT {}".format, inner),
    ),
    max_leaves=6,
)


@given(CONDITIONS, IDS, IDS, IDS)
def test_nothing_that_is_selected_is_outside_of_the_scope(where: str, device: str, module: str, tag: str) -> None:
    query = parse(f"SELECT * FROM devices.modules WHERE {where}")
    if query.selects({"deviceId": device, "moduleId": module, "tags": {"x": tag}}):
        assert query.scope.devices is None or device in query.scope.devices
        assert query.scope.names is None or module in query.scope.names
