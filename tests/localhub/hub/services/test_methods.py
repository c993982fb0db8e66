"""Direct methods over MQTT: answers, time limits, and who may answer."""

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from localhub.hub.methods import Client, MethodError, MethodRequest, MethodResult, Methods
from localhub.identity import Identity

pytestmark = pytest.mark.anyio

CAMERA = Identity("gw1", "camera")
METHODS = "$iothub/methods/POST/#"


@pytest.fixture
def methods(hub: Any) -> Methods:
    find: Callable[[Identity], Client | None] = hub.clients.get
    return Methods(find)


async def asked(client: Any) -> tuple[str, str, bytes]:
    topic, payload = await client.next()
    found = re.fullmatch(r"\$iothub/methods/POST/(.+)/\?\$rid=([0-9a-f-]{36})", topic)
    assert found is not None
    return found[1], found[2], payload


async def test_a_method_is_asked_and_answered(hub: Any, methods: Methods) -> None:
    client = hub.connect("camera", METHODS)
    call = asyncio.create_task(methods.invoke(CAMERA, MethodRequest("take picture", b'{"n":1}')))
    name, number, payload = await asked(client)
    assert (name, payload) == ("take picture", b'{"n":1}')
    methods.answered(CAMERA, number.upper(), 201, b'"done"')  # ids compare without case
    assert await call == MethodResult(201, b'"done"')


async def test_nobody_else_can_answer(hub: Any, methods: Methods) -> None:
    client = hub.connect("camera", METHODS)
    call = asyncio.create_task(methods.invoke(CAMERA, MethodRequest("ping")))
    _, number, _ = await asked(client)
    methods.answered(Identity("gw1", "spy"), number, 200, b'"forged"')
    methods.answered(CAMERA, "unknown", 200, b'"stray"')
    methods.answered(CAMERA, number, 200, b'"real"')
    methods.answered(CAMERA, number, 200, b'"again"')
    assert (await call).payload == b'"real"'


@pytest.mark.parametrize("filters", [None, (), ("$iothub/twin/res/#",)])
async def test_an_absent_or_deaf_module_is_404(hub: Any, methods: Methods, filters: tuple[str, ...] | None) -> None:
    if filters is not None:
        hub.connect("camera", *filters)
    with pytest.raises(MethodError, match="gw1/camera is not connected") as refused:
        await methods.invoke(CAMERA, MethodRequest("ping", connect_timeout_s=0.01))
    assert refused.value.status == 404


async def test_a_silent_module_is_504_and_its_late_answer_nobodys(hub: Any, methods: Methods) -> None:
    client = hub.connect("camera", METHODS)
    with pytest.raises(MethodError, match=r"did not answer ping within 0.01 s") as refused:
        await methods.invoke(CAMERA, MethodRequest("ping", response_timeout_s=0.01))
    assert refused.value.status == 504
    _, number, _ = await asked(client)
    methods.answered(CAMERA, number, 200, b"null")


async def test_a_call_waits_for_its_target_to_connect_and_subscribe(hub: Any, methods: Methods) -> None:
    calls = [asyncio.create_task(methods.invoke(CAMERA, MethodRequest("ping", connect_timeout_s=5))) for _ in range(2)]
    await asyncio.sleep(0)
    client = hub.connect("camera")
    methods.subscribed(CAMERA)
    await asyncio.sleep(0)
    assert client.inbox.empty()  # connected, but deaf
    client.filters.add(METHODS)
    methods.subscribed(CAMERA)
    for _ in calls:
        methods.answered(CAMERA, (await asked(client))[1], 200, b"")
    assert {result.status for result in await asyncio.gather(*calls)} == {200}


def request(**fields: Any) -> dict[str, Any]:
    return {"methodName": "ping", **fields}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (request(), MethodRequest("ping", b"", 30, 0)),
        (request(payload=None), MethodRequest("ping", b"", 30, 0)),
        (request(payload="", responseTimeoutInSeconds=5), MethodRequest("ping", b'""', 5, 0)),
        (request(payload={"a": [1]}, connectTimeoutInSeconds=300), MethodRequest("ping", b'{"a":[1]}', 30, 300)),
        (request(responseTimeoutInSeconds="30", connectTimeoutInSeconds="30"), MethodRequest("ping", b"", 30, 30)),
        ({"methodName": "x" * 100}, MethodRequest("x" * 100)),
    ],
)
def test_requests_as_the_tools_send_them(document: dict[str, Any], expected: MethodRequest) -> None:
    assert MethodRequest.parse(document) == expected


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ([], "JSON object"),
        ({}, "methodName"),
        ({"methodName": ""}, "methodName"),
        ({"methodName": " "}, "methodName"),
        ({"methodName": 5}, "methodName"),
        ({"methodName": "x" * 101}, "1 to 100"),
        (request(payload="x" * 128 * 1024), "more than 131072"),
        (request(responseTimeoutInSeconds=4), "from 5 to 300"),
        (request(responseTimeoutInSeconds=301), "from 5 to 300"),
        (request(connectTimeoutInSeconds=-1), "from 0 to 300"),
        (request(connectTimeoutInSeconds=301), "from 0 to 300"),
        (request(responseTimeoutInSeconds="soon"), "number of seconds"),
        (request(responseTimeoutInSeconds=float("nan")), "from 5 to 300"),
    ],
)
def test_requests_over_a_limit_are_400(document: object, reason: str) -> None:
    with pytest.raises(MethodError, match=reason) as refused:
        MethodRequest.parse(document)
    assert refused.value.status == 400


def test_the_largest_payload_is_taken() -> None:
    document = request(payload="x" * (128 * 1024 - 2))
    assert len(MethodRequest.parse(json.loads(json.dumps(document))).payload) == 128 * 1024
