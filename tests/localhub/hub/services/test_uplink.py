"""The link under cuts, restarts and slowness: what `send` returned for has arrived, the rest is sent again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from localhub import link
from localhub.hub import cloudconnection
from localhub.hub import uplink as uplink_module
from localhub.hub.pump import LinkDown
from localhub.hub.uplink import LinkSetting, Uplink
from localhub.state import State

pytestmark = pytest.mark.anyio
Messages = Callable[[int, int], list[link.Telemetry]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]


class Nobody:
    """Takes what the cloud sends, and does nothing with it."""

    def synced(self, twins: object) -> None: ...
    def desired(self, change: object) -> None: ...
    def called(self, call: object) -> None: ...


@asynccontextmanager
async def running(state: State) -> AsyncIterator[Uplink]:
    uplink = Uplink(state, Nobody())
    task = asyncio.create_task(uplink.run())
    try:
        yield uplink
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_send_returns_for_is_on_the_clouds_disk(state: State, cloud: Any, messages: Messages) -> None:
    async with running(state) as uplink:
        with pytest.raises(LinkDown):
            await uplink.send(messages(0, 1))
        async with cloud.serving():
            await uplink.up()
            await uplink.send(messages(1, 3))
            assert cloud.ids() == ["1", "2", "3"]
            assert uplink.status()["state"] == "up"
            assert uplink.bytes_up > 0


async def test_a_large_batch_goes_in_parts_and_arrives_whole(
    state: State, cloud: Any, messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uplink_module, "FRAME_BYTES", 8)
    async with cloud.serving(), running(state) as uplink:
        await uplink.up()
        await uplink.send(messages(0, 50))
        assert cloud.ids() == [str(number) for number in range(50)]


async def test_cut_in_the_middle_nothing_is_lost(state: State, cloud: Any, messages: Messages) -> None:
    """Thirty batches, the link is cut and restored again and again; the sender repeats what was not acknowledged."""
    tries = 0

    async def deliver(uplink: Uplink, batch: list[link.Telemetry]) -> None:
        nonlocal tries
        while True:
            await uplink.up()
            tries += 1
            try:
                await uplink.send(batch)
            except LinkDown:
                continue
            return

    async with cloud.serving(), running(state) as uplink:
        uplink.set(LinkSetting("slow", bytes_per_s=500, latency_ms=2))  # they are on their way for long
        sending = asyncio.gather(*(deliver(uplink, messages(10 * number, 10)) for number in range(30)))
        while not tries:  # noqa: ASYNC110 - what is waited for is in the code under test
            await asyncio.sleep(0.001)
        for pause in (0.05, 0.11, 0.17, 0.03):
            await asyncio.sleep(pause)
            uplink.set(LinkSetting("down"))
            await asyncio.sleep(0.005)
            uplink.set(LinkSetting("slow", bytes_per_s=200_000, latency_ms=2))
        await asyncio.wait_for(sending, 60)
    assert tries > 30  # the cuts did hit batches
    assert set(cloud.ids()) == {str(number) for number in range(300)}
    assert cloud.arrivals.counts.distinct == 300
    assert cloud.arrivals.counts.differing == 0


async def test_the_cloud_restarts_and_the_link_comes_back(
    state: State, cloud: Any, messages: Messages, until: Until
) -> None:
    changes: list[bool] = []
    async with running(state) as uplink:
        uplink.link_changed(lambda: changes.append(uplink.is_up))
        for first in (0, 1):
            async with cloud.serving():
                await uplink.up()
                await uplink.send(messages(first, 1))
            await until(lambda: not uplink.is_up)
    assert cloud.ids() == ["0", "1"]
    assert changes == [True, False, True, False]


async def test_a_link_set_down_stays_down_over_a_restart_of_the_hub(state: State, cloud: Any) -> None:
    async with cloud.serving() as server:
        async with running(state) as uplink:
            await uplink.up()
            uplink.set(LinkSetting("down"))
        async with running(state) as uplink:
            await asyncio.sleep(0.05)
            assert uplink.status() | {"bytes_up": 0} == {
                "state": "down",
                "set": "down",
                "bytes_up": 0,
                "latency_ms": 0.0,
                "bytes_per_s": None,
                "loss_percent": 0.0,
            }
            assert server.connected_since("gw1") is None
            uplink.set(LinkSetting())
            await asyncio.wait_for(uplink.up(), 60)


async def test_latency_counts_both_ways(state: State, cloud: Any, messages: Messages) -> None:
    async with cloud.serving(), running(state) as uplink:
        await uplink.up()
        uplink.set(LinkSetting("slow", latency_ms=40))
        start = asyncio.get_running_loop().time()
        await uplink.send(messages(0, 1))
        assert asyncio.get_running_loop().time() - start >= 0.079


async def test_a_silent_cloud_is_left(state: State, messages: Messages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloudconnection, "ACK_TIMEOUT_S", 0.05)

    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(link.encode(link.Sync([])))
        await _reader.read()
        writer.close()

    server = await asyncio.start_unix_server(silent, str(state.link_socket))
    async with server, running(state) as uplink:
        await uplink.up()
        with pytest.raises(LinkDown, match="no acknowledgement"):
            await uplink.send(messages(0, 1))


async def test_nonsense_from_the_other_side_ends_the_connection(state: State, messages: Messages) -> None:
    async def odd(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(link.encode(link.Sync([])))
        await _reader.read(1000)
        await _reader.read(1000)
        writer.write(b"\0\0\0\1\xc1")
        await _reader.read()
        writer.close()

    server = await asyncio.start_unix_server(odd, str(state.link_socket))
    async with server, running(state) as uplink:
        await uplink.up()
        with pytest.raises(LinkDown, match="could not be read"):
            await uplink.send(messages(0, 1))


@pytest.mark.parametrize(
    ("document", "setting"),
    [
        ({"state": "up", "bytes_per_s": 5}, LinkSetting()),
        ({"state": "slow", "bytes_per_s": 5}, LinkSetting("slow", 5.0, 0.0)),
        ({"state": "slow", "latency_ms": 5}, LinkSetting("slow", None, 5.0)),
        ({"state": "slow"}, LinkSetting("slow", 16_000.0, 300.0)),
        ({"state": "slow", "loss_percent": 5}, LinkSetting("slow", None, 0.0, 5.0)),
        ({"state": "down"}, LinkSetting("down")),
    ],
)
def test_settings(document: dict[str, Any], setting: LinkSetting) -> None:
    assert LinkSetting.parse(document) == setting


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({}, "up"),
        ({"state": "off"}, "slow"),
        ({"state": "slow", "bytes_per_s": 0}, "bytes_per_s"),
        ({"state": "slow", "bytes_per_s": "1k"}, "bytes_per_s"),
        ({"state": "slow", "latency_ms": -1}, "latency_ms"),
        ({"state": "slow", "loss_percent": 100}, "loss_percent"),
        ({"state": "slow", "loss_percent": "x"}, "loss_percent"),
    ],
)
def test_bad_settings_say_what_to_write(document: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        LinkSetting.parse(document)
