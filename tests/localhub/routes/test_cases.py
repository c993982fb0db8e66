"""Every recorded outcome of edgeHub's own evaluator, config parser and source matcher (cases.json)."""

import json
from pathlib import Path
from typing import Any

import pytest

from localhub.routes import (
    Condition,
    ConfigCompileError,
    ConfigRefusedError,
    RouteCompileError,
    RouteRefusedError,
    RouteSyntaxError,
    RouteTable,
    RoutingMessage,
    Sender,
    parse_edgehub_desired,
    parse_route,
)

CASES: dict[str, list[Any]] = json.loads((Path(__file__).parent / "cases.json").read_text("utf-8"))
CODECS = {"utf-8": "utf-8", "utf-16": "utf-16-le"}
OUTCOMES = {True: "true", False: "false", None: "undefined"}


def message_of(case: dict[str, Any]) -> RoutingMessage:
    body = case.get("body", "").encode(CODECS[case.get("encoding", "utf-8")])
    return RoutingMessage(properties=case["properties"], system=case["system"], body=body)


@pytest.mark.parametrize(("index", "text", "expected"), CASES["conditions"])
def test_condition(index: int, text: str, expected: str) -> None:
    message = message_of(CASES["messages"][index])
    try:
        condition = Condition.compile(text)
    except RouteSyntaxError:
        outcome = "route_syntax_error"
    except RouteCompileError:
        outcome = "compile_error"
    else:
        value = condition.evaluate(message)
        outcome = OUTCOMES[value]
        assert condition.explain(message).value is value
    assert outcome == expected


@pytest.mark.parametrize(("text", "expected", "parsed"), CASES["routes"])
def test_route(text: str, expected: str, parsed: list[str | None] | None) -> None:
    try:
        route = parse_route(text)
    except RouteSyntaxError:
        assert expected == "route_syntax_error"
        return
    except RouteRefusedError:
        assert expected == "route_refused"
        return
    if parsed is not None:
        assert [route.condition, route.sink.module, route.sink.input] == parsed
    try:
        route.compile()
    except RouteCompileError:
        assert expected == "compile_error"
    else:
        assert expected == "ok"


@pytest.mark.parametrize(("source", "sender", "expected"), CASES["sources"])
def test_source(source: str, sender: str, expected: bool) -> None:
    module, _, output = sender.partition("/")
    known = {"leaf": Sender(), "twin": Sender(twin_change=True)}
    message = RoutingMessage(source=known.get(sender, Sender(module=module, output=output or None)))
    assert parse_route(f"FROM {source} INTO $upstream").matches_source(message.path) is expected


@pytest.mark.parametrize(("desired", "expected"), CASES["configs"])
def test_config(desired: dict[str, Any], expected: str) -> None:
    try:
        RouteTable.compile(parse_edgehub_desired(desired))
    except ConfigRefusedError:
        outcome = "refused"
    except ConfigCompileError:
        outcome = "compile_error"
    else:
        outcome = "ok"
    assert outcome == expected
