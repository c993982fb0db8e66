from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fleet.content import check_whole, deployment, is_layer, of, read
from fleet.exits import Exit, FleetError

WHOLE: dict[str, Any] = {
    "$edgeAgent": {"properties.desired": {"modules": {}}},
    "$edgeHub": {"properties.desired": {"routes": {}}},
}
LAYER: dict[str, Any] = {"$edgeAgent": {"properties.desired.modules.extra": {"settings": {"image": "x"}}}}


@pytest.mark.parametrize("wrap", [lambda content: content, lambda content: {"content": content}])
def test_a_file_holds_a_content_perhaps_wrapped(tmp_path: Path, wrap: Any) -> None:
    file = tmp_path / "deployment.json"
    file.write_text(json.dumps(wrap({"modulesContent": WHOLE})))
    assert read(file) == WHOLE


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "holds no modulesContent"),
        ({"modulesContent": {}}, "holds no modulesContent"),
        ({"modulesContent": {"camera": 1}}, "camera is no object"),
        ({"modulesContent": {"camera": {"desired": {}}}}, "'desired' is not properties.desired nor below it"),
        ({"modulesContent": {"camera": {"properties.desired": {"image": "${MODULES.camera}"}}}}, "make build"),
    ],
)
def test_what_nobody_can_deploy_is_refused_before_the_hub_is_asked(document: Any, said: str) -> None:
    with pytest.raises(FleetError, match=r"f\.json: ") as refused:
        of(document, "f.json")
    assert said in str(refused.value)
    assert refused.value.code == Exit.CONTENT


@pytest.mark.parametrize("text", ["{", "\udcff"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "deployment.json"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    for path in (file, tmp_path / "absent.json"):
        with pytest.raises(FleetError) as refused:
            read(path)
        assert str(path) in str(refused.value)
        assert refused.value.code == Exit.CONTENT


def test_a_layer_is_told_from_a_whole_content() -> None:
    assert is_layer(LAYER)
    assert not is_layer(WHOLE)
    check_whole(WHOLE, "f")
    with pytest.raises(FleetError, match="has no \\$edgeAgent and no \\$edgeHub"):
        check_whole(LAYER, "f")


def test_a_deployment_is_what_the_service_api_takes() -> None:
    made = deployment(
        "canary-2", LAYER, layered=True, target="tags.ring = 'canary'", priority=7,
        labels=["model=2"], metrics=["running=SELECT deviceId FROM devices WHERE tags.a = 'b=c'"],
    )  # fmt: skip
    assert made == {
        "id": "canary-2",
        "schemaVersion": "2.0",
        "labels": {"model": "2"},
        "content": {"modulesContent": LAYER},
        "targetCondition": "tags.ring = 'canary'",
        "priority": 7,
        "metrics": {"queries": {"running": "SELECT deviceId FROM devices WHERE tags.a = 'b=c'"}},
    }


@pytest.mark.parametrize(
    ("name", "content", "layered", "code"),
    [
        ("Upper", WHOLE, False, Exit.USAGE),
        ("with blank", WHOLE, False, Exit.USAGE),
        ("", WHOLE, False, Exit.USAGE),
        ("a" * 129, WHOLE, False, Exit.USAGE),
        ("ok", WHOLE, True, Exit.CONTENT),
        ("ok", LAYER, False, Exit.CONTENT),
        ("ok", {"$edgeAgent": WHOLE["$edgeAgent"]}, False, Exit.CONTENT),
    ],
)
def test_what_iot_hub_would_refuse_is_refused_here(name: str, content: Any, layered: bool, code: Exit) -> None:
    with pytest.raises(FleetError) as refused:
        deployment(name, content, layered=layered, target="*", priority=0)
    assert refused.value.code == code
