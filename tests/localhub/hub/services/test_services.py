"""What clients say on `$iothub/...`, what the cloud asks for, and what the hub reports of itself."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from localhub.hub import services as services_module
from localhub.hub.methods import MethodError, MethodRequest
from localhub.hub.report import HubReport, property_name
from localhub.hub.services import Services
from localhub.identity import Identity
from localhub.state import State
from localhub.twin import PatchError
from localhub.wire.parser import ProtocolError

pytestmark = pytest.mark.anyio
Until = Callable[[Callable[[], bool]], Awaitable[None]]

CAMERA = Identity("gw1", "camera")
HUB = Identity("gw1", "$edgeHub")
METHODS = "$iothub/methods/POST/#"


@pytest.fixture
async def services(state: State, hub: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Services]:
    monkeypatch.setattr(services_module, "REPORT_DELAY_S", 0.01)
    made = Services(state, lambda: 1_800_000_000.0)
    made.attach(hub)
    async with made.serving(None):
        yield made


@pytest.mark.parametrize(
    "topic",
    [
        "$iothub/twin/GET/desired/?$rid=1",
        "$iothub/twin/PATCH/properties/reported/sub/?$rid=1",
        "$iothub/methods/res/ok/?$rid=1",
        "$iothub/methods/res/?$rid=1",
    ],
)
async def test_topics_that_edgehub_hangs_up_on(services: Services, hub: Any, topic: str) -> None:
    with pytest.raises(ProtocolError):
        services.on_publish(hub.connect("camera"), topic, b"")


async def test_a_topic_that_means_nothing_is_named(
    services: Services, hub: Any, caplog: pytest.LogCaptureFixture
) -> None:
    services.on_publish(hub.connect("camera"), "$iothub/streams/x", b"")
    assert "'$iothub/streams/x', which nothing listens to" in caplog.text


async def test_the_control_api_invokes_and_reports(services: Services, hub: Any) -> None:
    client = hub.connect("camera", METHODS)
    calling = asyncio.create_task(services.invoke("camera", MethodRequest("ping")))
    topic, _ = await client.next()
    services.on_publish(client, f"$iothub/methods/res/200/?$rid={topic.partition('$rid=')[2]}", b'{"pong":1}')
    assert await calling == (200, {"pong": 1})
    await services.report_for("$edgeAgent", {"modules": {"camera": {"exitCode": 0}}})
    assert services.twins.reported(Identity("gw1", "$edgeAgent")) == {"modules": {"camera": {"exitCode": 0}}}
    with pytest.raises(PatchError):
        await services.report_for("$edgeAgent", {"a b": 1})


async def test_a_call_that_waits_goes_out_when_its_target_comes_back_with_its_session(
    services: Services, hub: Any
) -> None:
    calls = []
    for _ in range(2):
        calls.append(asyncio.create_task(services.invoke("camera", MethodRequest("ping", connect_timeout_s=5))))
        await asyncio.sleep(0)
    client = hub.connect("camera", METHODS)
    services.on_connect(client)
    for _ in calls:
        topic, _ = await client.next()
        services.on_publish(client, f"$iothub/methods/res/200/?$rid={topic.partition('$rid=')[2]}", b"")
    assert await asyncio.gather(*calls) == [(200, None), (200, None)]


async def test_the_cloud_calls_a_method_and_hears_why_it_failed(services: Services, hub: Any, cloud: Any) -> None:
    client = hub.connect("camera", METHODS)

    async def call(identity: Identity, name: str) -> Any:
        return await server.call(identity, name, b"{}", response_timeout_s=5, connect_timeout_s=0)

    async with cloud.serving() as server:
        await services.uplink.up()
        calling = asyncio.create_task(call(CAMERA, "ping"))
        topic, _ = await client.next()
        services.on_publish(client, f"$iothub/methods/res/200/?$rid={topic.partition('$rid=')[2]}", b"1")
        answer = await calling
        assert (answer.status, answer.payload, answer.error) == (200, b"1", None)
        absent = await call(Identity("gw1", "ghost"), "ping")
        assert (absent.status, absent.error) == (404, "gw1/ghost is not connected, or takes no methods")
        assert (await call(CAMERA, "x" * 101)).status == 400


async def test_the_hub_reports_its_clients_to_the_cloud(services: Services, hub: Any, cloud: Any, until: Until) -> None:
    cloud.twins.seed({})
    client = hub.connect("camera")

    def reported() -> Any:
        return cloud.twins.get(HUB).reported.document

    async with cloud.serving():
        await services.uplink.up()
        services.on_connect(client)
        await until(lambda: "clients" in reported())
        assert reported() == {
            "schemaVersion": "1.2",
            "version": {"version": "0.1.0"},
            "clients": {"gw1/camera": {"status": "Connected", "lastConnectTimeUtc": "2027-01-15T08:00:00.000Z"}},
        }
        services.on_disconnect(client)
        services.report.configured(3, 200, "")
        await until(lambda: reported()["clients"]["gw1/camera"]["status"] == "Disconnected")
        assert reported()["lastDesiredVersion"] == 3
        assert reported()["clients"]["gw1/camera"]["lastConnectTimeUtc"]


def test_after_a_restart_nobody_is_connected() -> None:
    due: list[int] = []
    report = HubReport(lambda: 0.0, lambda: due.append(1))
    report.started("1", {"gw1/a": {"status": "Connected"}, "gw1/b": {"status": "Disconnected"}})
    assert report.take()["clients"] == {"gw1/a": {"status": "Disconnected"}}
    assert report.take() == {}
    assert due == [1]


def test_names_of_clients_become_names_of_properties() -> None:
    assert property_name("gw1/a.b $x#%") == "gw1/a%2Eb%20%24x%23%25"
    assert json.dumps(property_name("gw1/camera")) == '"gw1/camera"'


async def test_a_failing_method_call_says_so(services: Services) -> None:
    with pytest.raises(MethodError):
        await services.invoke("ghost", MethodRequest("ping"))
