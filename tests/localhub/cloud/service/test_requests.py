"""What `az iot` sends, request by request, and what must not get in; over TLS against a running localhub.

The requests are those of the azure-iot extension 0.25 (headers, quoting, api-version), made here without it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import ssl
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from localhub.cloud.service.serving import login
from localhub.testing import Hub

pytestmark = pytest.mark.system
VERSION = "api-version=2024-03-31"
Answer = tuple[int, Any, Mapping[str, str]]


def token(text: str, *, policy: str = "iothubowner", key: str | None = None, lasts_s: int = 600) -> str:
    """As the extension makes it: sr, sig, se, skn; sr in upper-case escapes and signed as sent."""
    parts = dict(part.partition("=")[::2] for part in text.split(";"))
    resource, expiry = quote(parts["HostName"], safe=""), int(time.time()) + lasts_s
    digest = hmac.new(
        base64.b64decode(key or parts["SharedAccessKey"]), f"{resource}\n{expiry}".encode(), hashlib.sha256
    )
    signature = quote(base64.b64encode(digest.digest()), safe="")
    return f"SharedAccessSignature sr={resource}&sig={signature}&se={expiry}&skn={policy}"


@pytest.fixture
def ask(hub: Hub) -> Callable[..., Answer]:
    context = ssl.create_default_context(cafile=str(hub.state.ca_certificate))
    text = login(hub.state)
    host, _, port = text.partition("=")[2].partition(";")[0].partition(":")

    def ask(method: str, path: str, body: object = None, *, authorization: str | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=30)
        sent = {"Accept": "application/json", "Content-Type": "application/json; charset=utf-8"}
        sent["Authorization"] = token(text) if authorization is None else authorization
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        try:
            connection.request(method, f"{path}?{VERSION}", data, sent)
            answer = connection.getresponse()
            raw = answer.read()
            return answer.status, json.loads(raw) if raw else None, dict(answer.getheaders())
        finally:
            connection.close()

    return ask


def test_set_modules_and_export(ask: Callable[..., Answer], hub: Hub, manifest: Path) -> None:
    content = json.loads(manifest.read_text())
    status, _, _ = ask("POST", "/devices/gw1/applyConfigurationContent", content)
    assert status == 204
    status, modules, _ = ask("GET", "/devices/gw1/modules")
    assert (status, [module["moduleId"] for module in modules]) == (200, ["$edgeAgent", "$edgeHub", "echo"])
    for module in modules:
        status, twin, headers = ask("GET", f"/twins/gw1/modules/{quote(module['moduleId'], safe='')}")
        assert status == 200
        assert {"$metadata", "$version"} <= set(twin["properties"]["desired"])
        assert headers["etag"] == f'"{twin["etag"]}"'
    assert hub.module("echo")["state"] == "running"


def test_deployments(ask: Callable[..., Answer], manifest: Path) -> None:
    content = json.loads(manifest.read_text())
    document = {"id": "dep1", "schemaVersion": "2.0", "labels": {"a": "b"}, "content": content, "etag": "*"}
    document |= {
        "targetCondition": "tags.none = 1",
        "priority": 3,
        "metrics": {"queries": {"n": "SELECT * FROM devices"}},
    }
    status, made, _ = ask("PUT", "/configurations/dep1", document)
    assert (status, made["metrics"]["results"], made["systemMetrics"]["results"]["appliedCount"]) == (201, {"n": 1}, 0)
    status, listed, _ = ask("GET", "/configurations")
    assert (status, [one["id"] for one in listed]) == (200, ["dep1"])
    changed = made | {"priority": 11}
    for quoted in (made["etag"], '"*"', "*"):
        assert ask("PUT", "/configurations/dep1", changed, If_Match=quoted)[0] == 200
    assert ask("PUT", "/configurations/dep1", made, If_Match=made["etag"])[0] == 412
    layered: dict[str, Any] = {
        "content": {"modulesContent": {"$edgeAgent": {"properties.desired.modules.extra": {}}}},
        "metrics": {},
    }
    assert ask("PUT", "/configurations/lay1", layered)[0] == 201
    for name in ("dep1", "lay1"):
        assert ask("DELETE", f"/configurations/{name}", If_Match='"*"')[0] == 204
    assert ask("GET", "/configurations/dep1")[0] == 404


def test_a_whole_twin_comes_back_with_its_patch(ask: Callable[..., Answer], hub: Hub) -> None:
    _, twin, _ = ask("GET", "/twins/gw1/modules/echo")
    twin["properties"]["desired"]["x"] = 9
    status, answer, _ = ask("PATCH", "/twins/gw1/modules/echo", twin, If_Match='"*"')
    assert (status, answer["properties"]["desired"]["x"]) == (200, 9)
    hub.until(lambda: hub.desired("echo").get("x") == 9, 60, "the patch")


def test_methods_take_timeouts_as_text(ask: Callable[..., Answer]) -> None:
    body = {"methodName": "m", "payload": {}, "responseTimeoutInSeconds": "30", "connectTimeoutInSeconds": "30"}
    assert ask("POST", "/twins/gw1/modules/echo/methods", body)[:2] == (200, {"status": 202, "payload": {}})
    status, answer, _ = ask("POST", "/twins/gw1/modules/echo/methods", body | {"responseTimeoutInSeconds": "soon"})
    assert (status, "seconds" in answer["Message"]) == (400, True)


def test_edge_devices_are_made_with_keys_of_the_servers(ask: Callable[..., Answer]) -> None:
    document = {
        "deviceId": "gw9",
        "status": "enabled",
        "authentication": {"symmetricKey": {}, "type": "sas"},
        "capabilities": {"iotEdge": True},
        "parentScopes": [],
    }
    status, made, _ = ask("PUT", "/devices/gw9", document)
    assert (status, made["capabilities"]) == (200, {"iotEdge": True})
    assert len(base64.b64decode(made["authentication"]["symmetricKey"]["primaryKey"])) == 32
    query = {"query": "select * from devices"}
    status, rows, headers = ask("POST", "/devices/query", query, x_ms_max_item_count="1")
    assert (status, [row["deviceId"] for row in rows]) == (200, ["gw1"])
    status, rows, headers = ask("POST", "/devices/query", query, x_ms_continuation=headers["x-ms-continuation"])
    assert [row["deviceId"] for row in rows] == ["gw9"]
    assert "x-ms-continuation" not in headers
    assert ask("DELETE", "/devices/gw9", If_Match='"*"')[0] == 204


def test_metrics_are_shown_by_the_queries_that_a_deployment_names(ask: Callable[..., Answer], manifest: Path) -> None:
    """`deployment create`, `show-metric --metric-type system|user`, `update --set priority`, `delete`."""
    content = json.loads(manifest.read_text())
    metrics = {"queries": {"up": "SELECT deviceId FROM devices.modules WHERE properties.reported.up = true"}}
    document = {"id": "m1", "schemaVersion": "2.0", "content": content, "targetCondition": "deviceId='gw1'",
                "priority": 2, "metrics": metrics, "etag": "*"}  # fmt: skip
    assert ask("PUT", "/configurations/m1", document)[0] == 201
    _, shown, _ = ask("GET", "/configurations/m1")
    system = shown["systemMetrics"]["queries"]
    assert set(system) == {"appliedCount", "targetedCount", "reportedSuccessfulCount", "reportedFailedCount"}
    for text in (system["appliedCount"], system["targetedCount"], shown["metrics"]["queries"]["up"]):
        status, rows, _ = ask("POST", "/devices/query", {"query": text}, Cache_Control="no-cache, must-revalidate")
        assert (status, rows) == (200, [{"deviceId": "gw1"}])
    changed = {key: value for key, value in shown.items() if key not in ("etag", "systemMetrics")} | {"priority": 12}
    status, updated, _ = ask("PUT", "/configurations/m1", changed, If_Match='"*"')
    assert (status, updated["priority"], updated["content"]) == (200, 12, shown["content"])
    assert ask("DELETE", "/configurations/m1", If_Match='"*"')[0] == 204


def test_tags_are_updated_through_the_whole_device_twin(ask: Callable[..., Answer]) -> None:
    """`device-twin update --tags`: GET, then PATCH with what was got."""
    _, twin, _ = ask("GET", "/twins/gw1")
    status, updated, _ = ask("PATCH", "/twins/gw1", twin | {"tags": {"site": "ulm"}}, If_Match='"*"')
    assert (status, updated["tags"]) == (200, {"site": "ulm"})
    _, rows, _ = ask("POST", "/devices/query", {"query": "select * from devices where tags.site = 'ulm'"})
    assert [row["deviceId"] for row in rows] == ["gw1"]
    assert ask("PATCH", "/twins/gw1", {"tags": {"site": None}}, If_Match='"*"')[1]["tags"] == {}


def test_module_identities_are_made_listed_and_asked_for_their_keys(ask: Callable[..., Answer]) -> None:
    """`module-identity create`, `list`, `connection-string show`, `delete`."""
    sas = {"symmetricKey": {}, "type": "sas"}
    status, made, _ = ask("PUT", "/devices/gw1/modules/tool", {"moduleId": "tool", "authentication": sas})
    assert status == 201
    _, listed, _ = ask("GET", "/devices/gw1/modules")
    assert "tool" in [module["moduleId"] for module in listed]
    _, again, _ = ask("GET", "/devices/gw1/modules/tool")
    assert again["authentication"]["symmetricKey"] == made["authentication"]["symmetricKey"]
    assert ask("GET", "/devices/gw1")[1]["authentication"]["symmetricKey"]["primaryKey"]
    assert ask("DELETE", "/devices/gw1/modules/tool", If_Match='"*"')[0] == 204


def test_nobody_else_gets_in(ask: Callable[..., Answer], hub: Hub) -> None:
    text = login(hub.state)
    other = base64.b64encode(bytes(32)).decode()
    elsewhere = text.replace("HostName=", "HostName=elsewhere.")
    for bad in (
        "",
        "Bearer x",
        token(text, key=other),
        token(text, policy="service"),
        token(text, lasts_s=-3600),
        token(elsewhere),
        token(text).replace("se=", "se=9"),
    ):
        for method, path in (("GET", "/twins/gw1"), ("POST", "/devices/gw1/applyConfigurationContent")):
            status, answer, _ = ask(method, path, {} if method == "POST" else None, authorization=bad)
            assert status == 401
            assert "IotHubUnauthorizedAccess" in answer["Message"]
            assert other not in answer["Message"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/devices/query", b"{", 400),
        ("POST", "/devices/query", b"\xff", 400),
        ("POST", "/devices/query", [], 400),
        ("PATCH", "/twins/gw1/modules/echo", [1], 400),
        ("PUT", "/twins/gw1/modules/echo", {"properties": {"desired": 3}}, 400),
        ("PUT", "/configurations/x", {"content": 3}, 400),
        ("PUT", "/configurations/x", {"content": {"modulesContent": {"a": {"desired": {}}}}}, 400),
        ("PUT", "/configurations/x", {"content": {"modulesContent": {}}, "priority": "high"}, 400),
        ("POST", "/devices/gw1/applyConfigurationContent", {"modulesContent": {"$edgeAgent": 3}}, 400),
        ("POST", "/devices/none/applyConfigurationContent", {}, 404),
        ("POST", "/twins/gw1/modules/echo/methods", {}, 400),
        ("GET", "/nothing", None, 404),
        ("PUT", "/devices/query2/modules/a", {}, 404),
        ("POST", "/devices/query", b" " * (5 << 20), 413),
    ],
)
def test_bad_requests_are_told_so(
    ask: Callable[..., Answer], method: str, path: str, body: object, status: int
) -> None:
    found, answer, _ = ask(method, path, body)
    assert (found, "ErrorCode:" in answer["Message"]) == (status, True)
