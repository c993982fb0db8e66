"""CoAP against a real aiocoap server."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.modules.sensors.conftest import Live, Source
from tests.modules.sensors.parts import CoapDevice

POINTS = [
    {"name": "tank/temp", "address": "/temp", "unit": "Cel", "low": -50},
    {"name": "box", "address": "/box", "format": "senml"},
]


@pytest.fixture(scope="module")
def device() -> Iterator[CoapDevice]:
    device = CoapDevice()
    yield device
    device.process.kill()


def test_what_is_observed_comes_by_itself(device: CoapDevice, live: Live) -> None:
    async def part(source: Source) -> None:
        running = source(device.settings(points=POINTS, renew_s=600))
        await running.phase("ok")
        await running.until(lambda: running.readings)
        device.set("temp", "21.5")
        assert (await running.value("tank/temp", 21.5)).unit == "Cel"
        device.set("box", '[{"n": "rpm", "v": 1500, "t": 0}]')
        await running.value("box/rpm", 1500)

    live(part)


def test_what_cannot_be_observed_is_asked_for(device: CoapDevice, live: Live) -> None:
    point = {"name": "tank/quiet", "address": "/quiet", "interval_s": 1}

    async def part(source: Source) -> None:
        device.set("quiet", "1")
        running = source(device.settings(points=[point]))
        await running.value("tank/quiet", 1)
        device.set("quiet", "2")
        await running.value("tank/quiet", 2)

    live(part)


def test_what_cannot_be_used_is_counted_by_reason(device: CoapDevice, live: Live) -> None:
    async def part(source: Source) -> None:
        missing = {"name": "ghost", "address": "/ghost"}
        device.set("temp", "nan")
        running = source(device.settings(points=[*POINTS, missing]))
        await running.until(lambda: running.dropped.get("nan"))
        device.set("temp", "warm")
        await running.until(lambda: running.dropped.get("wrong_type"))
        device.set("temp", "-60")
        await running.until(lambda: running.dropped.get("out_of_range"))
        device.set("temp", "20")
        await running.value("tank/temp", 20)
        assert running.watch.state.troubles == {"ghost": "ghost: the device says 4.04 Not Found"}

    live(part)


def test_read_now_asks(device: CoapDevice, live: Live) -> None:
    async def part(source: Source) -> None:
        device.set("quiet", "5")
        running = source(device.settings(points=[{"name": "tank/quiet", "address": "/quiet", "interval_s": 600}]))
        await running.value("tank/quiet", 5)
        device.set("quiet", "6")
        assert await running.watch.read_now(60)
        assert running.watch.intake.last["tank/quiet"].value == 6

    live(part)


def test_a_device_that_was_restarted_is_observed_again(live: Live) -> None:
    """It has forgotten its observers, and says nothing of it."""
    device = CoapDevice()

    async def part(source: Source) -> None:
        running = source(device.settings(points=POINTS[:1], renew_s=0.5))
        await running.phase("ok")
        device.process.kill()
        await asyncio.to_thread(device.process.start)
        await asyncio.to_thread(device.set, "temp", "33")
        await running.value("tank/temp", 33)

    try:
        live(part)
    finally:
        device.process.kill()


@pytest.mark.parametrize("how", ["kill", "hang"])
def test_a_device_that_dies_or_hangs_is_reported_and_comes_back(live: Live, how: str) -> None:
    device = CoapDevice()

    async def part(source: Source) -> None:
        running = source(device.settings(points=POINTS[:1], renew_s=0.5, timeout_s=1))
        await running.phase("ok")
        device.process.kill() if how == "kill" else device.process.hang()
        await running.phase("dead")
        assert device.uri in running.watch.state.why
        await asyncio.to_thread(device.process.start) if how == "kill" else device.process.go_on()
        await running.phase("ok")
        await asyncio.to_thread(device.set, "temp", "44")
        await running.value("tank/temp", 44)

    try:
        live(part)
    finally:
        device.process.kill()
