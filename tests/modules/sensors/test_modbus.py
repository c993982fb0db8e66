"""Modbus against a real pymodbus server: values, blocks, and every way in which a device fails."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devices.line import free_port
from tests.modules.sensors.conftest import Live, Running, Source
from tests.modules.sensors.parts import Process, cable

POINTS = [
    {"name": "press/oil", "address": "holding/0", "scale": 0.1, "unit": "Cel"},
    {"name": "press/force", "address": "holding/1", "kind": "float32", "order": "CDAB", "unit": "N"},
    {"name": "press/door", "address": "coil/3", "kind": "bool"},
    {"name": "press/pump", "address": "holding/9.2", "kind": "bool"},
]


class Plc:
    def __init__(self) -> None:
        self.port = free_port()
        self.process = Process.of("modbus", "tcp", "127.0.0.1", self.port)

    def settings(self, **more: Any) -> dict[str, Any]:
        return {
            "type": "modbus-tcp",
            "host": "127.0.0.1",
            "port": self.port,
            "points": POINTS,
            "interval_s": 0.05,
            "timeout_s": 1.0,
            "retries": 0,
        } | more


@pytest.fixture(scope="module")
def shared() -> Iterator[Plc]:
    plc = Plc()
    yield plc
    plc.process.kill()


@pytest.fixture
def plc(shared: Plc) -> Plc:
    shared.process.say(["holding", 0, [0] * 10])
    return shared


def test_values_are_scaled_and_carry_their_unit(plc: Plc, live: Live) -> None:
    async def part(source: Source) -> None:
        plc.process.say(["holding", 0, [615, 0x0000, 0x42F7]])
        plc.process.say(["holding", 9, [0b100]])
        running = source(plc.settings())
        assert (await running.value("press/oil", 61.5)).unit == "Cel"
        assert (await running.value("press/force", 123.5)).unit == "N"
        await running.value("press/door", 0)
        await running.value("press/pump", 1)
        plc.process.say(["coil", 3, [True]])
        await running.value("press/door", 1)
        assert running.watch.state.phase == "ok"

    live(part)


def test_an_array_of_registers_is_a_waveform(plc: Plc, live: Live) -> None:
    point = {"name": "press/bearing", "address": "holding/100", "count": 200, "rate_hz": 1000, "unit": "m/s2"}

    async def part(source: Source) -> None:
        plc.process.say(["holding", 100, list(range(120))])
        plc.process.say(["holding", 220, list(range(120, 200))])
        running = source(plc.settings(points=[point]))
        await running.until(lambda: running.blocks)
        assert memoryview(running.blocks[0].samples).cast("f").tolist() == list(range(200))

    live(part)


def test_a_point_that_the_device_refuses_costs_only_itself(plc: Plc, live: Live) -> None:
    points = [{"name": f"r/{n}", "address": f"holding/{n}"} for n in range(490, 510)]

    async def part(source: Source) -> None:
        running = source(plc.settings(points=points))
        await running.value("r/499", 0)
        await running.value("r/501", 0)
        await running.until(lambda: "refused" in running.dropped)
        await running.until(lambda: len({r.name for r in running.readings}) == 19)
        assert running.watch.state.phase == "ok"
        assert running.watch.state.troubles == {"r/500": "r/500: device 1 says illegal address"}

    live(part)


def test_a_device_of_a_bus_that_is_silent_leaves_the_others_alone(plc: Plc, live: Live) -> None:
    missing = {"name": "third/oil", "address": "holding/0", "device": 3}

    async def part(source: Source) -> None:
        running = source(plc.settings(points=[*POINTS, missing]))
        await running.value("press/oil", 0)
        await running.until(lambda: running.watch.state.troubles)
        await running.value("press/oil", 0)
        assert running.watch.state.phase == "ok"
        (why,) = running.watch.state.troubles.values()
        assert "device 3" in why

    live(part)


def test_what_is_no_number_or_out_of_range_is_counted_and_never_sent(plc: Plc, live: Live) -> None:
    points = [
        {"name": "f", "address": "holding/1", "kind": "float32"},
        {"name": "r", "address": "holding/3", "low": 0, "high": 100},
    ]

    async def part(source: Source) -> None:
        plc.process.say(["holding", 1, [0x7FC0, 0x0000, 101]])
        running = source(plc.settings(points=points))
        await running.until(lambda: {"nan", "out_of_range"} <= running.dropped.keys())
        assert running.readings == []
        plc.process.say(["holding", 1, [0x3F80, 0x0000, 99]])
        await running.value("f", 1)
        await running.value("r", 99)

    live(part)


def test_read_now_does_not_wait_for_the_interval(plc: Plc, live: Live) -> None:
    async def part(source: Source) -> None:
        running = source(plc.settings(interval_s=3600))
        await running.value("press/oil", 0)
        plc.process.say(["holding", 0, [10]])
        assert await running.watch.read_now(60)
        assert running.watch.intake.last["press/oil"].value == 1

    live(part)


def test_one_that_is_stopped_while_it_asks_has_ended(plc: Plc, live: Live) -> None:
    async def part(source: Source) -> None:
        for number in range(60):
            running = source(plc.settings(interval_s=0.01))
            await running.phase("ok")
            await asyncio.sleep(number / 6000)  # at any moment of its round
            await running.watch.stop()
            assert all(task.done() for task in running.watch._tasks)

    live(part)


@pytest.mark.parametrize("how", ["kill", "hang"])
def test_a_server_that_dies_or_hangs_is_reported_and_comes_back(live: Live, how: str) -> None:
    plc = Plc()

    async def part(source: Source) -> None:
        running = source(plc.settings())
        await running.phase("ok")
        plc.process.kill() if how == "kill" else plc.process.hang()
        await running.phase("dead")
        assert f"127.0.0.1:{plc.port}" in running.watch.state.why
        assert not await running.watch.read_now(0.2)
        await asyncio.to_thread(plc.process.start) if how == "kill" else plc.process.go_on()
        await running.phase("ok")
        await running.value("press/oil", 0)
        assert running.watch.state.outages == running.outages >= 1

    try:
        live(part)
    finally:
        plc.process.kill()


def test_a_serial_line_carries_the_same(live: Live, tmp_path: Path) -> None:
    with cable(tmp_path) as (ours, theirs):
        process = Process.of("modbus", "rtu", theirs)

        async def part(source: Source) -> None:
            settings = {"type": "modbus-rtu", "path": str(ours), "parity": "N", "interval_s": 0.05, "timeout_s": 1.0}
            running: Running = source(settings | {"points": POINTS, "retries": 0})
            process.say(["holding", 0, [200]])
            await running.value("press/oil", 20)
            process.kill()
            await running.phase("dead")
            await asyncio.to_thread(process.start)
            await running.value("press/oil", 0)

        try:
            live(part)
        finally:
            process.kill()
