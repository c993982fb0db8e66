"""Templates, placeholders, layers and createOptions, up to what edgeAgent and edgeHub get."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localhub.manifest import ManifestError, load_deployment
from localhub.manifest.environment import parse_dotenv
from localhub.manifest.options import CreateOptionsError, cut, join
from localhub.manifest.placeholders import expand
from localhub.manifest.positions import Document, JsonSyntaxError
from localhub.manifest.positions import Path as JsonPath

VARIABLES = {"REGISTRY": "registry:5000"}


def test_a_template_becomes_a_deployment(solution: Any) -> None:
    deployment = load_deployment(solution.template, variables=VARIABLES)
    press, oven = deployment.modules["press"], deployment.modules["oven"]
    assert press.image == "registry:5000/press:0.2.0-amd64"
    assert oven.image == "registry:5000/oven:0.2.0-arm32v7"
    assert press.create_options == {"HostConfig": {"Binds": ["/data:/data"]}}
    assert press.env == {"PACE": "1.5", "LOUD": "true"}
    assert (press.startup_order, oven.startup_order) == (2, 2**32 - 1)
    assert (press.restart_policy, oven.restart_policy) == ("always", "on-failure")
    assert press.folder == solution.folder / "modules" / "press"
    assert deployment.twins == {"press": {"settings": {"pace": 3}}}
    assert [spec.name for spec in deployment.routes.routes] == ["pressToOven", "up"]
    assert deployment.registries["site"]["username"] == "me"
    assert deployment.registries["site"]["password"] == "se\\"
    assert set(deployment.system_modules) == {"edgeAgent", "edgeHub"}
    assert '"oven": {' in solution.template.read_text().splitlines()[deployment.line_of("oven") - 1]
    assert deployment.warnings == []


def test_the_effective_manifest_has_text_options_and_no_placeholders(solution: Any) -> None:
    content = load_deployment(solution.template, variables=VARIABLES).effective()
    settings = content["$edgeAgent"]["properties.desired"]["modules"]["press"]["settings"]
    assert settings == {
        "image": "registry:5000/press:0.2.0-amd64",
        "createOptions": '{"HostConfig":{"Binds":["/data:/data"]}}',
    }
    assert "${" not in json.dumps(content)


def test_an_effective_manifest_can_be_loaded_again(solution: Any, tmp_path: Path) -> None:
    first = load_deployment(solution.template, variables=VARIABLES)
    again = tmp_path / "deployment.amd64.json"
    again.write_text(json.dumps({"content": {"modulesContent": first.effective()}}))
    second = load_deployment(again, variables={})
    assert second.content == first.content


def test_variables_win_over_dotenv_and_a_platform_can_be_chosen(solution: Any) -> None:
    variables = {**VARIABLES, "REGISTRY_USER": "you", "CONTAINER_TAG": "rc1"}
    deployment = load_deployment(solution.template, variables=variables, platform="arm32v7")
    assert deployment.registries["site"]["username"] == "you"
    assert deployment.modules["press"].image == "registry:5000/press:0.2.0-rc1-arm32v7"


def test_layers_set_parts_and_the_later_one_wins(solution: Any) -> None:
    low = solution.layer(
        {
            "$edgeAgent": {"properties.desired.modules.oven.settings.image": "registry/oven:2"},
            "$edgeHub": {"properties.desired.routes.extra": "FROM /messages/modules/oven INTO $upstream"},
            "press": {"properties.desired.settings.pace": 4, "properties.desired.lamp": "on"},
        },
        priority=5,
    )
    high = solution.layer({"press": {"properties.desired.settings": {"pace": 9}}}, priority=7)
    deployment = load_deployment(solution.template, [high, low], variables=VARIABLES)
    assert deployment.modules["oven"].image == "registry/oven:2"
    assert [spec.name for spec in deployment.routes.routes] == ["pressToOven", "up", "extra"]
    assert deployment.twins["press"] == {"settings": {"pace": 9}, "lamp": "on"}


def test_a_mistake_in_a_layer_is_told_with_the_layers_line(solution: Any) -> None:
    layer = solution.layer({"$edgeHub": {"properties.desired.routes.extra": "FROM /messages/* INTO upstream"}})
    with pytest.raises(ManifestError) as refusal:
        load_deployment(solution.template, [layer], variables=VARIABLES)
    (problem,) = refusal.value.problems
    assert problem.place.file == str(layer)
    assert '"properties.desired.routes.extra"' in layer.read_text().splitlines()[problem.place.line - 1]


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("INTO $upstream", "INTO upstream", "route-syntax"),
        ("WHERE kind = 'alert'", "WHERE kind > 5", "route-compile"),
        ("/modules/oven/inputs/heat", "/modules/ofen/inputs/heat", "route-module"),
        ("modules/press/outputs", "modules/presse/outputs", "route-module"),
        ('{"image": "${MODULES.oven.arm32v7}"}', "{}", "image"),
        ("${MODULES.press}", "${MODULES.presse}", "module-placeholder"),
        ('"startupOrder": 2,', '"startupOrder": 2', "json"),
    ],
)
def test_what_cannot_run_is_refused_with_its_line(solution: Any, old: str, new: str, rule: str) -> None:
    line = solution.replace(old, new)
    with pytest.raises(ManifestError) as refusal:
        load_deployment(solution.template, variables=VARIABLES)
    (problem,) = refusal.value.problems
    assert problem.rule == rule
    assert problem.place.line in {line, line + 1}  # a missing comma is seen on the next line
    assert problem.hint or rule == "json"
    assert f"deployment.template.json:{problem.place.line}:" in str(refusal.value)


def test_the_column_points_into_the_routes_text(solution: Any) -> None:
    solution.replace("WHERE kind = 'alert'", "WHERE kind > 5")
    with pytest.raises(ManifestError) as refusal:
        load_deployment(solution.template, variables=VARIABLES)
    (problem,) = refusal.value.problems
    line = solution.template.read_text().splitlines()[problem.place.line - 1]
    assert line[problem.place.column - 1 :].startswith("> 5")


def test_a_column_behind_a_filled_in_placeholder_is_that_of_the_file() -> None:
    document = expand(
        "f", '{"a": "${NAME}", "b": [1, "$NAME x"],\n "c": ${NUMBER}}', {"NAME": 'long "text', "NUMBER": "5"}.get
    )
    assert document.value == {"a": 'long "text', "b": [1, 'long "text x'], "c": 5}
    assert (document.place(("b",)).line, document.place(("b",)).column) == (1, 18)
    assert document.inside(("b", 1), 11).column == 34
    assert (document.place(("c",)).line, document.place(("c",)).column) == (2, 2)
    assert document.raw(("b", 1)) == '"$NAME x"'


def test_a_column_behind_escapes_is_that_of_the_file() -> None:
    document = Document("f", '{"route": "a = \\"x\\" AND \\u0062"}')
    assert document.value == {"route": 'a = "x" AND b'}
    assert document.inside(("route",), 12).column == 26


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=10,
)


@given(JSON, st.sampled_from([None, 1, 4]))
@settings(max_examples=40, deadline=None)
def test_positions_lead_to_the_parts_they_stand_for(value: Any, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    document = Document("f", text)
    assert document.value == value

    def check(part: Any, path: JsonPath) -> None:
        span = document.spans[path]
        assert json.loads(text[span.value : span.end]) == part
        if isinstance(part, dict):
            for name, member in part.items():
                assert json.loads(
                    text[document.spans[(*path, name)].key :].split(":")[0] if ":" not in name else "0"
                ) in {name, 0}
                check(member, (*path, name))
        elif isinstance(part, list):
            for index, item in enumerate(part):
                check(item, (*path, index))

    check(value, ())


@pytest.mark.parametrize(
    "text", ["", "{", "[1,]", '{"a":1,}', '{"a" 1}', "{'a':1}", '{"a":01}', "[1] x", '{"a":tru}', '"\n"', "[" * 300]
)
def test_what_is_no_json_has_a_place(text: str) -> None:
    with pytest.raises(JsonSyntaxError) as mistake:
        Document("f", text)
    assert mistake.value.place.line >= 1


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=300), max_size=6))
@settings(max_examples=40, deadline=None)
def test_options_cut_into_pieces_join_again(value: dict[str, str]) -> None:
    pieces = cut(value)
    assert all(len(piece) <= 512 for piece in pieces.values())
    assert join({"image": "x", **pieces}) == value


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"createOptions": "{}", "createOptions02": "{}"}, "createOptions02"),
        ({"createOptions": "[]"}, "createOptions"),
        ({"createOptions": '{"a":', "createoptions01": "1"}, "createOptions"),
        ({"createOptions": {}, "createOptions01": "{}"}, "createOptions01"),
        ({"createOptions": 5}, "createOptions"),
    ],
)
def test_options_that_do_not_join(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(CreateOptionsError) as mistake:
        join(settings)
    assert mistake.value.field == field


def test_dotenv_lines() -> None:
    text = "# c\nexport A = 1 # one\nB='x # y'\nC=\"q\"\nbad line\nD=\nE=a=b\n"
    assert parse_dotenv(text) == {"A": "1", "B": "x # y", "C": "q", "D": "", "E": "a=b"}
