"""A full disk and a wrong clock, as real clients meet them."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import apsw
import pytest
from azure.iot.device.aio import IoTHubModuleClient

from localhub.hub.message import NEVER
from localhub.hub.store import Batch, Store
from localhub.identity import Identity

if TYPE_CHECKING:
    from tests.localhub.hub.conftest import Hub, Module

pytestmark = [
    pytest.mark.filterwarnings("ignore:ssl.PROTOCOL_TLSv1_2 is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),  # paho leaves the pair open that wakes its thread
]
Make = Callable[..., "Module"]
Eventually = Callable[..., None]
DAY = 86_400.0


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """What paho leaves open is collected here, where it is expected."""
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub looks at the time every second; here it need not be waited for."""
    monkeypatch.setattr("localhub.hub.broker.TICK_S", 0.05)
    monkeypatch.setattr("localhub.hub.commits.RETRY_S", 0.1)


def fill(hub: Hub, *, full: bool) -> None:
    hub.call(lambda: hub.broker.faults.fill_disk(full=full))


def test_a_store_on_a_full_disk_says_full_keeps_what_it_has_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    store = Store(tmp_path / "hub.db")
    store.apply(Batch(queues=[(1, "e", 0)], messages=[(1, b"a", b"")], entries=[(1, 1, NEVER, 1)]))
    store.fill(full=True)
    for batch in (
        Batch(messages=[(2, b"b", b"")], entries=[(1, 2, NEVER, 1)]),
        Batch(removed=[(1, 1)], dead=[(1,)]),
        Batch(facts={"f": b"x"}),
    ):
        with pytest.raises(apsw.FullError):
            store.apply(batch)
    assert store.recover().queues[0].depth == 1
    store.fill(full=False)
    store.apply(Batch(messages=[(2, b"b", b"")], entries=[(1, 2, NEVER, 1)]))
    store.close()
    again = Store(tmp_path / "hub.db")
    assert again.recover().queues[0].depth == 2
    assert again._writer.pragma("quick_check") == "ok"
    again.close()


def test_on_a_full_disk_nothing_is_acknowledged_and_nothing_acknowledged_is_lost(
    hub: Hub, module: Make, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    alpha = module("alpha")
    alpha.send("x", b"before")
    fill(hub, full=True)
    refused = alpha.send("x", b"while it is full", wait=False)
    assert alpha.gone.wait(60)
    assert not alpha.acked(refused)
    eventually(lambda: hub.call(lambda: hub.broker.metrics.unack_total)["storage_failure", "gw1/alpha", "x"] >= 1)
    assert "nothing will be acknowledged until it can" in caplog.text
    assert hub.call(hub.broker.faults.status)["disk_full"] is True
    fill(hub, full=False)
    eventually(lambda: alpha.acked(refused))  # paho comes back by itself, and sends it again
    assert "the store can be written again" in caplog.text
    beta = module("beta")
    beta.listen()
    assert beta.receive(2) == [b"before", b"while it is full"]


def test_what_was_acknowledged_before_is_delivered_while_the_disk_is_full_and_removed_afterwards(
    hub: Hub, module: Make, eventually: Eventually
) -> None:
    beta = module("beta")
    beta.listen()
    beta.client.unsubscribe("devices/gw1/modules/beta/inputs/#")
    alpha = module("alpha")
    eventually(lambda: not hub.broker._clients[Identity("gw1", "beta")].subscribed("devices/"))
    alpha.send("x", b"kept")
    fill(hub, full=True)
    hub.call(lambda: hub.broker._pumps["gw1/beta"].attach(hub.broker._clients[Identity("gw1", "beta")], 1))
    assert beta.receive() == [b"kept"]
    hub.stop()  # it was delivered, and could not be removed: at least once
    hub.start()
    assert hub.depth("gw1/beta/in") == 1
    assert hub.call(hub.broker.faults.status)["disk_full"] is False


def test_the_sdk_sends_what_was_not_acknowledged_again_when_there_is_room(hub: Hub) -> None:
    async def story() -> None:
        text = hub.identities.connection_string(Identity("gw1", "alpha"), hub.state.hub_name, hub.state.address)
        client = IoTHubModuleClient.create_from_connection_string(
            text, server_verification_cert=hub.state.ca_certificate.read_text(), connection_retry_interval=1
        )
        await client.connect()
        await asyncio.to_thread(fill, hub, full=True)
        sending = asyncio.create_task(client.send_message_to_output("important", "x"))
        await asyncio.sleep(0.5)
        assert not sending.done()
        await asyncio.to_thread(fill, hub, full=False)
        await asyncio.wait_for(sending, 60)
        await client.shutdown()

    asyncio.run(story())
    assert hub.depth("gw1/beta/in") == 1


def test_messages_bear_the_hubs_time_and_expire_by_it(hub: Hub, module: Make, eventually: Eventually) -> None:
    seen: list[float] = []
    hub.broker.intake.watchers.append(lambda message, _places: seen.append(message.enqueued))
    hub.routes.table["x"] = [("gw1/beta/in", 1, 60.0)]
    alpha = module("alpha")
    hub.call(lambda: hub.broker.faults.set_clock(-DAY))
    alpha.send("x", b"of yesterday")
    assert abs(seen[0] - (time.time() - DAY)) < 60
    time.sleep(0.1)
    assert hub.depth("gw1/beta/in") == 1  # yesterday its minute is not over
    hub.call(lambda: hub.broker.faults.set_clock(0.0))
    hub.broker._next_expiry = 0.0
    eventually(lambda: hub.depth("gw1/beta/in") == 0)
    assert hub.call(hub.broker.metrics.drops)["ttl_expiry"] == 1


def test_tokens_expire_by_the_hubs_clock(hub: Hub, module: Make) -> None:
    alpha = module("alpha")
    beta = module("beta", connect=False)
    hub.call(lambda: hub.broker.faults.set_clock(DAY))
    assert beta.connect() == 5
    hub.broker._next_recheck = 0.0
    assert alpha.gone.wait(60)
    hub.call(hub.broker.faults.clear)
    assert module("beta").gone.is_set() is False


@pytest.mark.parametrize("offset_s", [1e12, -1e12, float("inf"), float("nan")])
def test_a_time_that_no_calendar_has_is_refused(hub: Hub, offset_s: float) -> None:
    with pytest.raises(ValueError, match="between the years 1 and 9999"):
        hub.broker.faults.set_clock(offset_s)
    assert hub.broker.clock.offset_s == 0.0
