"""Which routes of a manifest take a message, and by which term the others do not."""

import json
from typing import Any

import pytest

from localhub.manifest.explain import DROPPED, TAKEN, UNREADABLE, explain_main


@pytest.fixture
def ask(solution: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("REGISTRY", "r")

    def ask(message: object, *options: str) -> int:
        path = solution.folder / "message.json"
        path.write_text(message if isinstance(message, str) else json.dumps(message))
        return explain_main([str(solution.template), str(path), *options])

    return ask


def test_a_message_that_a_route_takes(ask: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask({"module": "oven", "output": "o", "properties": {"kind": "alert"}}) == TAKEN
    out = capsys.readouterr().out
    assert "up: takes it to iothub, priority 0, TTL 3600 s" in out
    assert "pressToOven: not from its source" in out


def test_a_message_that_no_route_takes_and_the_term_that_decided(ask: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask({"module": "oven", "output": "o", "properties": {"kind": "window"}}, "--format", "json") == DROPPED
    document = json.loads(capsys.readouterr().out)
    assert document["endpoints"] == {}
    term = document["routes"][1]["term"]
    assert (term["text"], term["value"], term["why"]) == ("kind = 'alert'", False, "kind is 'window'")


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("{", "message.json:1:2: no JSON"),
        ([], "a message is a JSON object"),
        ({"prperties": {}}, "has no 'prperties'"),
        ({"properties": []}, "must be an object"),
        ({"body_b64": "%"}, "no base64"),
    ],
)
def test_a_message_that_is_none(ask: Any, message: object, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(message) == UNREADABLE
    assert said in capsys.readouterr().err


def test_a_manifest_that_cannot_be_used(ask: Any, solution: Any, capsys: pytest.CaptureFixture[str]) -> None:
    solution.replace("INTO $upstream", "INTO upstream")
    assert ask({"module": "oven"}) == UNREADABLE
    assert "route-syntax" in capsys.readouterr().err


def test_a_line_of_watch_is_a_message_too(ask: Any, capsys: pytest.CaptureFixture[str]) -> None:
    watched = {"time": "2026-01-02T03:04:05.678Z", "source": "gw1/oven", "output": "o", "properties": {"kind": "alert"}}
    assert ask({**watched, "system": {}, "body": "{}", "body_b64": "e30="}) == TAKEN
    assert "up: takes it to iothub" in capsys.readouterr().out
