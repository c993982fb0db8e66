"""How layered deployments lie on their base."""

from __future__ import annotations

from typing import Any

import pytest

from localhub.cloud.service.answers import ServiceError, check_match, etag
from localhub.cloud.service.content import check_whole, is_layered, merged, modules_content

BASE: dict[str, dict[str, Any]] = {
    "$edgeAgent": {"properties.desired": {"modules": {"a": {"status": "running"}}}},
    "$edgeHub": {"properties.desired": {"routes": {"up": "FROM /* INTO $upstream"}}},
}


def test_the_later_layer_wins_and_the_base_is_not_touched() -> None:
    layers: list[dict[str, dict[str, Any]]] = [
        {"$edgeAgent": {"properties.desired.modules.b": {"status": "running"}}, "b": {"properties.desired.x.y": 1}},
        {
            "b": {"properties.desired.x.y": 2, "properties.desired.z": 3},
            "$edgeHub": {"properties.desired.routes.r": "R"},
        },
        {"$edgeAgent": {"properties.desired.modules.a": {"status": "stopped"}}, "c": {"properties.desired": {"k": 1}}},
    ]
    assert merged(BASE, layers) == {
        "$edgeAgent": {"properties.desired": {"modules": {"a": {"status": "stopped"}, "b": {"status": "running"}}}},
        "$edgeHub": {"properties.desired": {"routes": {"up": "FROM /* INTO $upstream", "r": "R"}}},
        "b": {"properties.desired": {"x": {"y": 2}, "z": 3}},
        "c": {"properties.desired": {"k": 1}},
    }
    assert merged(BASE, []) == BASE
    assert "b" not in BASE["$edgeAgent"]["properties.desired"]["modules"]


def test_which_is_layered() -> None:
    assert not is_layered(BASE)
    assert is_layered({"$edgeAgent": {"properties.desired.modules.b": {}}})
    assert is_layered({"camera": {"properties.desired": {}}})
    check_whole(BASE)
    for lacking in ("$edgeAgent", "$edgeHub"):
        with pytest.raises(ServiceError, match=lacking.replace("$", r"\$")):
            check_whole({name: section for name, section in BASE.items() if name != lacking})


@pytest.mark.parametrize("content", [None, {}, {"modulesContent": []}, {"modulesContent": {"a": {"x": 1}}}])
def test_what_is_no_content(content: object) -> None:
    with pytest.raises(ServiceError) as error:
        modules_content(content)
    assert error.value.status == 400


def test_tags_match_quoted_or_not() -> None:
    for good in (None, "*", '"*"', etag(3), f'"{etag(3)}"'):
        check_match(good, 3)
    with pytest.raises(ServiceError) as error:
        check_match(f'"{etag(2)}"', 3)
    assert error.value.status == 412
