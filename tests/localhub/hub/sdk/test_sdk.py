"""The unmodified SDK as a module client."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from azure.iot.device import Message
from azure.iot.device.aio import IoTHubModuleClient

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
        got = await asyncio.wait_for(inbox.get(), 10)
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
        assert (await asyncio.wait_for(inbox.get(), 10)).data == b"before"
        await asyncio.to_thread(hub.stop)
        await asyncio.to_thread(hub.start)
        await asyncio.wait_for(alpha.send_message_to_output("after", "x"), 20)
        assert (await asyncio.wait_for(inbox.get(), 20)).data == b"after"
        await alpha.shutdown()
        await beta.shutdown()

    asyncio.run(story())
