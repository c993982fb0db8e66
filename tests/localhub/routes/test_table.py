"""Which endpoints a message reaches, under which priority and TTL, and the two moments of refusal."""

from typing import Any

import pytest

from localhub.routes import (
    ConfigCompileError,
    ConfigRefusedError,
    RouteTable,
    RoutingMessage,
    Sender,
    parse_edgehub_desired,
)

ALERT = RoutingMessage(properties={"kind": "alert"}, source=Sender(module="vibration", output="alerts"))
INTO_CACHE = 'INTO BrokeredEndpoint("/modules/cache/inputs/telemetry")'


def table(routes: dict[str, Any], ttl: int | None = 7200) -> RouteTable:
    store = {} if ttl is None else {"timeToLiveSecs": ttl}
    desired = {"schemaVersion": "1.1", "routes": routes, "storeAndForwardConfiguration": store}
    return RouteTable.compile(parse_edgehub_desired(desired), device="gw1")


def test_every_route_is_asked_and_every_endpoint_gets_the_message_once() -> None:
    routes = table(
        {
            "all": "FROM /messages/* INTO $upstream",
            "again": "FROM /messages/modules/vibration INTO $UPSTREAM",
            "cache": f"FROM /messages/modules/vibration/outputs/alerts {INTO_CACHE}",
            "other": f"FROM /messages/modules/camera/outputs/alerts {INTO_CACHE}",
        }
    )
    assert [(target.endpoint, target.route) for target in routes.match(ALERT)] == [
        ("iothub", "all"),
        ("gw1/cache/telemetry", "cache"),
    ]


def test_the_smallest_priority_wins_an_endpoint_with_its_own_ttl() -> None:
    routes = table(
        {
            "plain": f"FROM /messages/* {INTO_CACHE}",
            "second": {"route": f"FROM /messages/* {INTO_CACHE}", "priority": 1, "timeToLiveSecs": 60},
            "first": {"route": f"FROM /messages/* WHERE kind = 'alert' {INTO_CACHE}", "priority": 0},
        }
    )
    (alert,) = routes.match(ALERT)
    assert (alert.priority, alert.ttl_s, alert.route) == (0, 7200, "first")
    (other,) = routes.match(RoutingMessage(source=Sender(module="camera")))
    assert (other.priority, other.ttl_s, other.route) == (1, 60, "second")


@pytest.mark.parametrize(("configured", "expected"), [(None, 0), (0, 0), (-1, -1), (30, 30)])
def test_the_configurations_ttl_holds_where_a_route_has_none(configured: int | None, expected: int) -> None:
    (target,) = table({"r": "FROM /* INTO $upstream"}, configured).match(ALERT)
    assert target.ttl_s == expected
    assert target.priority == 2_000_000_000


def test_no_match_is_no_target() -> None:
    assert table({"r": "FROM /messages/modules/camera/* INTO $upstream"}).match(ALERT) == []


def test_a_syntax_error_refuses_the_document_and_names_the_route() -> None:
    with pytest.raises(ConfigRefusedError, match="bad") as refusal:
        table({"good": "FROM /* INTO $upstream", "bad": "FROM /* INTO upstream"})
    assert refusal.value.route == "bad"
    assert refusal.value.error is not None
    assert (refusal.value.error.line, refusal.value.error.column) == (1, 14)


def test_a_type_error_is_found_only_when_the_routes_are_compiled() -> None:
    desired = {
        "schemaVersion": "1.1",
        "routes": {"bad": "FROM /messages/*\n WHERE temp > 20 INTO $upstream"},
        "storeAndForwardConfiguration": {"timeToLiveSecs": 1},
    }
    config = parse_edgehub_desired(desired)
    with pytest.raises(ConfigCompileError) as failure:
        RouteTable.compile(config, device="gw1")
    assert failure.value.route == "bad"
    assert (failure.value.error.line, failure.value.error.column) == (2, 13)
    assert "as_number(temp)" in failure.value.error.hint


def test_explain_says_which_routes_matched_and_which_term_decided() -> None:
    routes = table(
        {
            "elsewhere": "FROM /messages/modules/camera/* INTO $upstream",
            "no": "FROM /messages/* WHERE kind = 'alert' AND as_number(rms) > 4 AND unit = 'g' INTO $upstream",
        }
    )
    message = RoutingMessage(
        properties={"kind": "alert", "rms": "2.5", "unit": "g"}, source=Sender(module="vibration", output="alerts")
    )
    elsewhere, no = routes.explain(message)
    assert not elsewhere.source_matches
    assert no.value is False
    assert no.term is not None
    assert [part.text for part in no.term.parts if part.decisive] == ["as_number(rms) > 4"]
    assert any("rms is '2.5'" in line for line in no.term.lines())


@pytest.mark.parametrize(
    "desired",
    [
        {"schemaVersion": "1.4"},
        {"schemaVersion": 1.0},
        {"schemaVersion": "1.1", "routes": None},
        {"routes": {"r": {"route": "FROM /* INTO $upstream", "timeToLiveSecs": -1}}},
        {"routes": {"r": {"priority": 1}}},
        {"routes": {"r": 5}},
        {"routes": {"r": {"route": "FROM /* INTO $upstream", "priority": None}}},
        {"routes": ["FROM /* INTO $upstream"]},
        {"storeAndForwardConfiguration": {"timeToLiveSecs": "soon"}},
        {"storeAndForwardConfiguration": None},
    ],
)
def test_refused_documents(desired: dict[str, Any]) -> None:
    whole = {"schemaVersion": "1.1", "routes": {}, "storeAndForwardConfiguration": {"timeToLiveSecs": 1}}
    with pytest.raises(ConfigRefusedError):
        parse_edgehub_desired({**whole, **desired})


def test_names_of_the_document_are_found_in_any_case_and_numbers_in_quotes_read() -> None:
    config = parse_edgehub_desired(
        {
            "schemaVersion": 1.1,
            "Routes": {"r": {"Route": "FROM /* INTO $upstream", "Priority": "3"}},
            "StoreAndForwardConfiguration": {"TimeToLiveSecs": 5.0, "storeLimits": {"maxSizeBytes": 1000}},
        }
    )
    assert (config.routes[0].priority, config.ttl_s, config.max_store_bytes) == (3, 5, 1000)
