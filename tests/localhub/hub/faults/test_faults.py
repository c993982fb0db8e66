"""Faults on command, as real clients meet them: paho, and the unmodified SDK."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from azure.iot.device import Message
from azure.iot.device.aio import IoTHubModuleClient

from localhub.identity import Identity

if TYPE_CHECKING:
    from tests.localhub.hub.conftest import Hub, Module

pytestmark = [
    pytest.mark.filterwarnings("ignore:ssl.PROTOCOL_TLSv1_2 is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),  # paho leaves the pair open that wakes its thread
]
Make = Callable[..., "Module"]
Eventually = Callable[..., None]
ALPHA, BETA = "gw1/alpha", "gw1/beta"


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """What paho leaves open is collected here, where it is expected."""
    yield
    gc.collect()


class Sdk:
    """The SDK as one module; what it received is in `inbox`."""

    def __init__(self, hub: Hub, name: str) -> None:
        text = hub.identities.connection_string(Identity("gw1", name), hub.state.hub_name, hub.state.address)
        self.client = IoTHubModuleClient.create_from_connection_string(
            text, server_verification_cert=hub.state.ca_certificate.read_text(), connection_retry_interval=1
        )
        self.inbox: asyncio.Queue[Message] = asyncio.Queue()

    async def connect(self, *, listen: bool = False) -> None:
        loop = asyncio.get_running_loop()
        if listen:
            self.client.on_message_received = lambda message: loop.call_soon_threadsafe(self.inbox.put_nowait, message)
        await self.client.connect()


async def until(fact: Callable[[], bool]) -> None:
    """Wait for something that happens on another thread."""
    async with asyncio.timeout(60):
        while not await asyncio.to_thread(fact):  # noqa: ASYNC110  it has no event here
            await asyncio.sleep(0.02)


def connects(hub: Hub, client: str) -> int:
    """How often a client has connected so far."""
    return int(hub.call(lambda: hub.broker.metrics.connects[(client,)]))


def on_loop(hub: Hub, function: Callable[[], object]) -> asyncio.Future[object]:
    return asyncio.ensure_future(asyncio.to_thread(hub.call, function))


def test_the_sdk_comes_back_after_a_dropped_connection_and_nothing_is_lost(hub: Hub) -> None:
    async def story() -> None:
        alpha, beta = Sdk(hub, "alpha"), Sdk(hub, "beta")
        await beta.connect(listen=True)
        await alpha.connect()
        assert await on_loop(hub, lambda: hub.broker.faults.drop(BETA)) == [BETA]
        await alpha.client.send_message_to_output("while away", "x")
        assert (await asyncio.wait_for(beta.inbox.get(), 60)).data == b"while away"
        assert sorted(await on_loop(hub, lambda: hub.broker.faults.drop(None))) == [ALPHA, BETA]  # type: ignore[call-overload]
        await until(lambda: connects(hub, ALPHA) == 2 and alpha.client.connected)  # in between the SDK refuses to send
        await alpha.client.send_message_to_output("after", "x")
        assert (await asyncio.wait_for(beta.inbox.get(), 60)).data == b"after"
        await alpha.client.shutdown()
        await beta.client.shutdown()

    asyncio.run(story())


def test_the_sdk_tries_again_after_code_3(hub: Hub) -> None:
    async def story() -> None:
        alpha = Sdk(hub, "alpha")
        await alpha.connect()
        await on_loop(hub, lambda: hub.broker.faults.refuse(3, 1, ALPHA))
        await on_loop(hub, lambda: hub.broker.faults.drop(ALPHA))
        await until(lambda: connects(hub, ALPHA) == 2)
        assert hub.call(lambda: hub.broker.metrics.refused)[ALPHA, "not_authenticated"] == 1
        await alpha.client.shutdown()

    asyncio.run(story())


def test_the_sdk_stays_deaf_when_its_session_is_lost(hub: Hub) -> None:
    async def story() -> None:
        alpha, beta = Sdk(hub, "alpha"), Sdk(hub, "beta")
        await beta.connect(listen=True)
        await alpha.connect()
        assert await on_loop(hub, lambda: hub.broker.faults.lose_session(BETA)) is True
        await until(lambda: connects(hub, BETA) == 2 and beta.client.connected)
        await alpha.client.send_message_to_output("nobody listens", "x")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(beta.inbox.get(), 0.5)
        assert await asyncio.to_thread(hub.depth, "gw1/beta/in") == 1
        await beta.client.shutdown()
        again = Sdk(hub, "beta")  # as the module started again: it subscribes, and what waited comes
        await again.connect(listen=True)
        assert (await asyncio.wait_for(again.inbox.get(), 60)).data == b"nobody listens"
        await alpha.client.shutdown()
        await again.client.shutdown()

    asyncio.run(story())


def test_an_sdk_whose_token_has_expired_is_refused_and_one_with_a_new_token_is_not(hub: Hub) -> None:
    async def story() -> None:
        alpha = Sdk(hub, "alpha")
        await alpha.connect()
        assert await on_loop(hub, lambda: hub.broker.faults.expire_tokens(None)) == [ALPHA]
        refused = hub.broker.metrics.refused
        await until(lambda: hub.call(lambda: refused[ALPHA, "not_authenticated"]) >= 1)
        await asyncio.sleep(1.1)  # longer than its retry interval
        assert connects(hub, ALPHA) == 1
        await alpha.client.shutdown()
        again = Sdk(hub, "alpha")  # a token is good from a second on, and so another by now
        await again.connect()
        await again.client.shutdown()

    asyncio.run(story())


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5])
def test_any_code_as_often_as_was_asked(hub: Hub, module: Make, code: int) -> None:
    hub.call(lambda: hub.broker.faults.refuse(code, 2, None))
    assert [module("alpha", connect=False).connect() for _ in range(3)] == [code, code, 0]


def test_expired_tokens_are_refused_and_new_ones_taken(hub: Hub, module: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    old = hub.password(Identity("gw1", "alpha"))
    monkeypatch.setattr(hub, "password", lambda _identity: old)
    alpha = module("alpha")
    hub.call(lambda: hub.broker.faults.expire_tokens(ALPHA))
    assert alpha.gone.wait(60)
    assert module("alpha", connect=False).connect() == 5
    monkeypatch.undo()
    hub.clock.offset_s += 10
    assert module("alpha", connect=False).connect() == 0
    assert hub.call(lambda: hub.broker.faults.expire_tokens("gw1/ghost")) == []


def test_late_pubacks_come_in_order_and_the_message_is_on_its_way_meanwhile(
    hub: Hub, module: Make, eventually: Eventually
) -> None:
    alpha, beta = module("alpha"), module("beta")
    beta.listen()
    hub.call(lambda: hub.broker.faults.delay_pubacks(1.5, ALPHA))
    began = time.monotonic()
    first = alpha.send("x", b"1", wait=False)
    assert beta.receive() == [b"1"]
    assert not alpha.acked(first) or time.monotonic() - began >= 1.5  # a machine that stood still meanwhile
    hub.call(lambda: hub.broker.faults.delay_pubacks(0.0, None))
    second = alpha.send("x", b"2", wait=False)
    eventually(lambda: alpha.acked(second))
    assert alpha.acked(first)
    assert time.monotonic() - began >= 1.5
    alpha.send("x", b"3")
    assert beta.receive(2) == [b"2", b"3"]


def test_clear_ends_what_was_set(hub: Hub, module: Make) -> None:
    alpha = module("alpha")
    faults = hub.broker.faults
    hub.call(lambda: faults.refuse(5, 3, None))
    hub.call(lambda: faults.delay_pubacks(60, None))
    hub.call(lambda: faults.expire_tokens(None))
    assert hub.call(faults.status) == {
        "refuse": {"*": {"code": 5, "times": 3}},
        "puback_ms": {"*": 60_000},
        "expired_tokens": 1,
        "disk_full": False,
        "clock_offset_s": 0.0,
    }
    hub.call(faults.clear)
    assert not any(hub.call(faults.status).values())
    assert alpha.gone.wait(60)
    module("alpha").send("x", b"at once")


@pytest.mark.parametrize(("code", "times"), [(0, 1), (6, 1), (3, 0)])
def test_what_cannot_be_asked_is_said(hub: Hub, code: int, times: int) -> None:
    with pytest.raises(ValueError):
        hub.broker.faults.refuse(code, times, None)
    with pytest.raises(ValueError):
        hub.broker.faults.delay_pubacks(-1, None)
