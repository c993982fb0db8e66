"""The unmodified SDK as a module client."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from azure.iot.device import Message
from azure.iot.device.aio import IoTHubModuleClient

from localhub import sas
from localhub.identity import Identity

if TYPE_CHECKING:
    from tests.localhub.hub.conftest import Hub

pytestmark = [
    pytest.mark.filterwarnings("ignore:ssl.PROTOCOL_TLSv1_2 is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),  # paho leaves the pair open that wakes its thread
]


def _client(hub: Hub, name: str) -> IoTHubModuleClient:
    text = hub.identities.connection_string(Identity("gw1", name), hub.state.hub_name, hub.state.address)
    return IoTHubModuleClient.create_from_connection_string(
        text,
        server_verification_cert=hub.state.ca_certificate.read_text(),
        connection_retry_interval=1,
    )


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """What paho leaves open is collected here, where it is expected, and not in some other test."""
    yield
    gc.collect()


def test_send_and_receive(hub: Hub) -> None:
    async def story() -> None:
        alpha, beta = _client(hub, "alpha"), _client(hub, "beta")
        inbox: asyncio.Queue[Message] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        beta.on_message_received = lambda message: loop.call_soon_threadsafe(inbox.put_nowait, message)
        await beta.connect()
        message = Message(b"\x00picture\xff", content_type="image/jpeg")  # type: ignore[no-untyped-call]
        message.message_id = "id-1"
        message.custom_properties["a key"] = "a/value & more=%"
        await alpha.send_message_to_output(message, "x")
        got = await asyncio.wait_for(inbox.get(), 60)
        assert got.data == b"\x00picture\xff"
        assert got.input_name == "in"
        assert got.message_id == "id-1"
        assert got.content_type == "image/jpeg"
        assert got.custom_properties == {"a key": "a/value & more=%", "$.cdid": "gw1", "$.cmid": "alpha"}
        await alpha.shutdown()
        await beta.shutdown()

    asyncio.run(story())


def test_the_hub_restarts_and_the_sdk_goes_on(hub: Hub) -> None:
    async def story() -> None:
        alpha, beta = _client(hub, "alpha"), _client(hub, "beta")
        inbox: asyncio.Queue[Message] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        beta.on_message_received = lambda message: loop.call_soon_threadsafe(inbox.put_nowait, message)
        await beta.connect()
        await alpha.send_message_to_output("before", "x")
        assert (await asyncio.wait_for(inbox.get(), 60)).data == b"before"
        await asyncio.to_thread(hub.stop)
        await asyncio.to_thread(hub.start)
        await asyncio.wait_for(alpha.send_message_to_output("after", "x"), 60)
        arrived = b"before"
        while arrived == b"before":  # again, where the hub stopped before it had the acknowledgement
            arrived = (await asyncio.wait_for(inbox.get(), 60)).data
        assert arrived == b"after"
        await alpha.shutdown()
        await beta.shutdown()

    asyncio.run(story())


def test_the_sdk_renews_its_token_by_connecting_anew_and_is_never_found_with_an_expired_one(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a token for 122 s it renews after 2 s: the hub sees an orderly reconnect, and a good token at each check."""
    hub.broker.manners = replace(hub.broker.manners, reauthenticate_every=0.1)
    connects = hub.broker.metrics.connects
    monkeypatch.setattr(sas, "SKEW_S", -110)  # a token is no good 110 s before its end: each was renewed in time

    async def story() -> None:
        text = hub.identities.connection_string(Identity("gw1", "alpha"), hub.state.hub_name, hub.state.address)
        alpha = IoTHubModuleClient.create_from_connection_string(
            text, server_verification_cert=hub.state.ca_certificate.read_text(), sastoken_ttl=122
        )
        await alpha.connect()
        async with asyncio.timeout(60):
            while connects[("gw1/alpha",)] < 3:  # noqa: ASYNC110  it has no event here
                await asyncio.sleep(0.05)
        await alpha.send_message_to_output("after two renewals", "x")
        await alpha.shutdown()

    asyncio.run(story())
    assert hub.depth("gw1/beta/in") == 1
    assert not hub.broker.metrics.refused
