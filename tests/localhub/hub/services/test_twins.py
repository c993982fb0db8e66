"""Twins seen from a module, with the cloud there, away, late, and restarted."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import apsw
import pytest

from localhub import link
from localhub.hub import twins as twins_module
from localhub.hub.services import Services
from localhub.hub.uplink import LinkSetting
from localhub.identity import Identity
from localhub.state import State

pytestmark = pytest.mark.anyio
Until = Callable[[Callable[[], bool]], Awaitable[None]]

CAMERA = Identity("gw1", "camera")
DESIRED = "$iothub/twin/PATCH/properties/desired/#"
GET = "$iothub/twin/GET/?$rid=r1"
PATCH = "$iothub/twin/PATCH/properties/reported/?$rid=r2"


@asynccontextmanager
async def running(state: State, hub: Any) -> AsyncIterator[Services]:
    services = Services(state, lambda: 1_800_000_000.0)
    services.attach(hub)
    async with services.serving(None):
        yield services


def seed(cloud: Any, **desired: Any) -> None:
    cloud.twins.seed({"camera": {"properties.desired": desired}})


def reported(cloud: Any) -> Any:
    twin = cloud.twins.get(CAMERA)
    return None if twin is None else twin.reported.versioned()


async def twin_of(services: Services, client: Any) -> Any:
    services.on_publish(client, GET, b" ")
    topic, payload = await client.next()
    assert topic == "$iothub/twin/res/200/?$rid=r1"
    return json.loads(payload)


async def test_a_get_is_answered_with_versions_and_without_subscription(state: State, hub: Any, cloud: Any) -> None:
    seed(cloud, rate=1)
    client = hub.connect("camera")
    async with cloud.serving(), running(state, hub) as services:
        assert await twin_of(services, client) == {"desired": {"rate": 1, "$version": 1}, "reported": {"$version": 1}}


async def test_a_get_before_the_cloud_was_ever_reached_waits_for_it(state: State, hub: Any, cloud: Any) -> None:
    seed(cloud, rate=1)
    client = hub.connect("camera")
    async with running(state, hub) as services:
        asked = asyncio.create_task(twin_of(services, client))
        await asyncio.sleep(0.02)
        assert not asked.done()
        async with cloud.serving():
            assert (await asked)["desired"] == {"rate": 1, "$version": 1}


async def test_a_get_has_versions_also_when_nothing_is_known(
    state: State, hub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(twins_module, "FIRST_SYNC_S", 0.01)
    client = hub.connect("camera")
    async with running(state, hub) as services:
        assert await twin_of(services, client) == {"desired": {"$version": 0}, "reported": {"$version": 1}}
        services.uplink.set(LinkSetting("down"))
        monkeypatch.setattr(twins_module, "FIRST_SYNC_S", 60)
        await asyncio.wait_for(twin_of(services, client), 60)


async def test_a_reported_patch_is_durable_then_answered_then_told_to_routes_and_cloud(
    state: State, hub: Any, cloud: Any, until: Until
) -> None:
    seed(cloud)
    client = hub.connect("camera")
    async with cloud.serving(), running(state, hub) as services:
        await services.uplink.up()
        services.on_publish(client, PATCH, b'{"a":{"b":1,"c":null}}')
        assert await client.next() == ("$iothub/twin/res/204/?$rid=r2", b"")
        assert b'"b":1' in hub.disk["twin:gw1/camera"]
        assert hub.events == [(CAMERA, b'{"a":{"b":1,"c":null}}')]
        assert (await twin_of(services, client))["reported"] == {"a": {"b": 1}, "$version": 2}
        await until(lambda: reported(cloud) == {"a": {"b": 1}, "$version": 2})


@pytest.mark.parametrize("payload", [b"[1]", b"{", b'{"a b":1}', b'{"a":[null]}', b'{"a":4503599627370496}'])
async def test_a_bad_patch_is_answered_with_400_and_changes_nothing(
    state: State, hub: Any, cloud: Any, payload: bytes
) -> None:
    seed(cloud)
    client = hub.connect("camera")
    async with cloud.serving(), running(state, hub) as services:
        await services.uplink.up()
        services.on_publish(client, PATCH, payload)
        assert await client.next() == ("$iothub/twin/res/400/?$rid=r2", b"")
        assert hub.events == []
        assert (await twin_of(services, client))["reported"] == {"$version": 1}


async def test_a_patch_that_cannot_be_kept_is_answered_with_500(state: State, hub: Any) -> None:
    client = hub.connect("camera")
    async with running(state, hub) as services:
        hub.failure = apsw.FullError("database or disk is full")
        services.on_publish(client, PATCH, b'{"a":1}')
        assert await client.next() == ("$iothub/twin/res/500/?$rid=r2", b"")
        assert hub.events == []


async def test_desired_patches_come_in_order_to_those_who_subscribed(state: State, hub: Any, cloud: Any) -> None:
    seed(cloud, rate=1)
    subscribed, deaf = hub.connect("camera", DESIRED), hub.connect("cache")
    async with cloud.serving() as server, running(state, hub) as services:
        await services.uplink.up()
        assert json.loads((await subscribed.next())[1]) == {"rate": 1, "$version": 1}
        for rate in (2, 3):
            server.push(cloud.twins.patch_desired(CAMERA, {"rate": rate, "old": None}))
        assert await subscribed.next() == (
            "$iothub/twin/PATCH/properties/desired/?$version=2",
            b'{"rate":2,"old":null,"$version":2}',
        )
        topic, _ = await subscribed.next()
        assert topic.endswith("$version=3")
        assert deaf.inbox.empty()


async def test_offline_the_twin_is_there_and_changes_of_both_sides_meet_later(
    state: State, hub: Any, cloud: Any, until: Until
) -> None:
    seed(cloud, rate=1, zone="a")
    client = hub.connect("camera", DESIRED)
    async with running(state, hub) as services:
        async with cloud.serving():
            await services.uplink.up()
            await client.next()
            services.on_publish(client, PATCH, b'{"kept":1,"gone":1}')
            await until(lambda: reported(cloud) == {"kept": 1, "gone": 1, "$version": 2})
            await client.next()
        await until(lambda: not services.uplink.is_up)
        cloud.twins.patch_desired(CAMERA, {"rate": 2})
        cloud.twins.patch_desired(CAMERA, {"zone": None})
        services.on_publish(client, PATCH, b'{"gone":null}')
        services.on_publish(client, PATCH, b'{"new":true}')
        await client.next()
        await client.next()
        twin = await twin_of(services, client)
        assert twin["desired"] == {"rate": 1, "zone": "a", "$version": 1}
        assert twin["reported"] == {"kept": 1, "new": True, "$version": 4}
        async with cloud.serving():
            topic, payload = await client.next()
            assert (topic[-1], json.loads(payload)) == ("3", {"rate": 2, "zone": None, "$version": 3})
            await until(lambda: reported(cloud) == {"kept": 1, "new": True, "$version": 4})


async def test_both_copies_survive_a_restart_of_the_hub(state: State, hub: Any, cloud: Any, until: Until) -> None:
    seed(cloud, rate=1)
    async with cloud.serving(), running(state, hub) as services:
        await services.uplink.up()
        client = hub.connect("camera")
        services.uplink.set(LinkSetting("down"))
        services.on_publish(client, PATCH, b'{"a":1}')
        await client.next()
    async with running(state, hub) as services:  # still down, the cloud away
        client = hub.connect("camera", DESIRED)
        assert await twin_of(services, client) == {
            "desired": {"rate": 1, "$version": 1},
            "reported": {"a": 1, "$version": 2},
        }
        async with cloud.serving():
            services.uplink.set(LinkSetting())
            await until(lambda: reported(cloud) == {"a": 1, "$version": 2})
            assert client.inbox.empty()  # desired properties are as they were: nothing is pushed


async def test_a_hub_that_lost_its_store_takes_over_what_the_cloud_remembers(
    state: State, hub: Any, cloud: Any
) -> None:
    seed(cloud, rate=1)
    cloud.twins.patch_reported(CAMERA, {"a": 1}, 7)
    client = hub.connect("camera")
    async with cloud.serving(), running(state, hub) as services:
        await services.uplink.up()
        assert (await twin_of(services, client))["reported"] == {"a": 1, "$version": 7}


async def test_a_gap_in_desired_versions_is_closed(state: State, hub: Any, cloud: Any, until: Until) -> None:
    seed(cloud, rate=1)
    client = hub.connect("camera", DESIRED)
    async with cloud.serving() as server, running(state, hub) as services:
        await services.uplink.up()
        await client.next()
        cloud.twins.patch_desired(CAMERA, {"rate": 2})  # not pushed
        server.push(cloud.twins.patch_desired(CAMERA, {"zone": "a"}))
        topic, payload = await client.next()
        assert (topic[-1], json.loads(payload)) == ("3", {"rate": 2, "zone": "a", "$version": 3})
        await until(lambda: services.uplink.is_up)
        services.desired(link.Desired("gw1", "camera", b'{"rate":9}', 3))  # seen already
        assert (await twin_of(services, client))["desired"] == {"rate": 2, "zone": "a", "$version": 3}


async def test_a_leaf_devices_report_made_offline_reaches_the_cloud_after_a_restart(
    state: State, hub: Any, cloud: Any, until: Until
) -> None:
    async with running(state, hub) as services:
        await services.twins.report(Identity("press4"), {"x": 1})
    async with cloud.serving(), running(state, hub):
        await until(lambda: cloud.twins.get(Identity("press4")) is not None)
        assert cloud.twins.get(Identity("press4")).reported.versioned() == {"x": 1, "$version": 2}


async def test_patches_made_during_a_report_go_up_together(state: State, hub: Any, cloud: Any, until: Until) -> None:
    seed(cloud)
    client = hub.connect("camera")
    async with cloud.serving(), running(state, hub) as services:
        await services.uplink.up()
        services.uplink.set(LinkSetting("slow", latency_ms=20))
        for number in range(50):
            services.on_publish(client, PATCH, b'{"n":%d}' % number)
        for _ in range(50):
            await client.next()
        await until(lambda: reported(cloud) == {"n": 49, "$version": 51})
        assert (await twin_of(services, client))["reported"] == {"n": 49, "$version": 51}
