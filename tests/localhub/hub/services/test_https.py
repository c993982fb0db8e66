"""Methods over HTTPS, called as the SDK calls them: edgeHub's codes and limits."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from localhub import certs
from localhub.hub import https
from localhub.hub.methods import Methods
from localhub.hub.servicemetrics import Calls
from localhub.state import State

pytestmark = pytest.mark.anyio

TARGET = "/twins/gw1/modules/camera/methods?api-version=2019-10-01"
HEADERS = {"x-ms-edge-moduleId": "gw1/status", "Authorization": "token of gw1/status"}


@dataclass
class Served:
    """The service, a client that trusts its certificate, and the hub behind it."""

    client: httpx.AsyncClient
    methods: Methods
    hub: Any


@pytest.fixture
async def served(state: State, hub: Any) -> AsyncIterator[Served]:
    authority = certs.ensure(state)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(state.server_certificate, state.server_key)
    methods = Methods(hub.clients.get)
    app = https.application(methods, hub.authenticate, "gw1", Calls(time.monotonic))
    async with https.serving(app, context, state.address, 0) as port:
        trust = ssl.create_default_context(cadata=authority.pem().decode())
        base = f"https://{state.address}:{port}"
        async with httpx.AsyncClient(verify=trust, base_url=base, trust_env=False) as client:
            yield Served(client, methods, hub)


async def test_a_method_is_invoked_with_status_and_payload(served: Served) -> None:
    client = served.hub.connect("camera", "$iothub/methods/POST/#")
    body = {"methodName": "ping", "payload": {"n": 1}, "responseTimeoutInSeconds": 10}
    calling = asyncio.create_task(served.client.post(TARGET, json=body, headers=HEADERS))
    topic, payload = await client.next()
    assert payload == b'{"n":1}'
    served.methods.answered(client.identity, topic.partition("$rid=")[2], 418, b'{"teapot":true}')
    answer = await calling
    assert (answer.status_code, answer.json()) == (200, {"status": 418, "payload": {"teapot": True}})
    assert answer.headers["content-type"] == "application/json; charset=utf-8"


async def test_an_empty_answer_is_null_and_ids_are_unquoted(served: Served) -> None:
    client = served.hub.connect("a module", "$iothub/methods/POST/#")
    path = "/twins/gw1/modules/a+module/methods"
    calling = asyncio.create_task(served.client.post(path, json={"methodName": "ping"}, headers=HEADERS))
    topic, _ = await client.next()
    served.methods.answered(client.identity, topic.partition("$rid=")[2], 200, b"")
    assert (await calling).json() == {"status": 200, "payload": None}


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, {"methodName": "ping"}, 404),
        ({"x-ms-edge-moduleId": ""}, {"methodName": "ping"}, 400),
        ({"x-ms-edge-moduleId": "gw1"}, {"methodName": "ping"}, 400),
        ({"x-ms-edge-moduleId": "gw2/status"}, {"methodName": "ping"}, 401),
        ({"Authorization": "token of gw1/other"}, {"methodName": "ping"}, 401),
        ({}, {}, 400),
        ({}, {"methodName": "x" * 101}, 400),
        ({}, {"methodName": "ping", "responseTimeoutInSeconds": 1}, 400),
        ({}, {"methodName": "ping", "payload": "x" * (1 << 20)}, 400),
    ],
)
async def test_refusals_have_edgehubs_codes(
    served: Served, headers: dict[str, str], body: dict[str, Any], status: int
) -> None:
    answer = await served.client.post(TARGET, json=body, headers=HEADERS | headers)
    assert answer.status_code == status
    assert answer.json()["message"]


async def test_what_is_no_json_and_what_is_no_method(served: Served) -> None:
    assert (await served.client.post(TARGET, content=b"{", headers=HEADERS)).status_code == 400
    assert (await served.client.get(TARGET, headers=HEADERS)).status_code == 405
    assert (await served.client.post("/other", headers=HEADERS)).status_code == 404
    device = await served.client.post("/twins/gw1/methods", json={"methodName": "ping"}, headers=HEADERS)
    assert (device.status_code, device.json()) == (404, {"message": "gw1 is not connected, or takes no methods"})


async def test_a_port_that_is_taken_is_one_clear_line(state: State, hub: Any, caplog: pytest.LogCaptureFixture) -> None:
    certs.ensure(state)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    app = https.application(Methods(hub.clients.get), hub.authenticate, "gw1", Calls(time.monotonic))
    async with (
        https.serving(app, context, state.address, 0) as port,
        https.serving(app, context, state.address, port) as second,
    ):
        assert second is None
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert f"port {port} of 127.0.0.1 cannot be bound (Address already in use)" in caplog.text


async def test_no_port_serves_nothing(state: State, hub: Any) -> None:
    app = https.application(Methods(hub.clients.get), hub.authenticate, "gw1", Calls(time.monotonic))
    async with https.serving(app, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), state.address, None) as port:
        assert port is None
