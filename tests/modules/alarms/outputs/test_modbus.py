"""Coils and registers of a real pymodbus server, and of one that lies."""

import asyncio
import struct
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from pydantic import ValidationError
from pymodbus.client import ModbusTcpClient

from devices.line import free_port
from modules.alarms.outputs.modbus import ModbusTcp
from tests.modules.alarms.conftest import Live, Output
from tests.modules.sensors.parts import Process


class Plc:
    """The server, and a client of the test's own that looks at it."""

    def __init__(self) -> None:
        self.port = free_port()
        self.process = Process.of("modbus", "tcp", "127.0.0.1", self.port)

    def settings(self, address: str = "coil/3", **more: object) -> dict[str, object]:
        known = {"type": "modbus-tcp", "host": "127.0.0.1", "port": self.port, "address": address}
        return known | {"timeout_s": 0.3, "retries": 0} | more

    async def coil(self, number: int = 3) -> bool:
        return bool(await asyncio.to_thread(self._read, number))

    def _read(self, number: int) -> bool:
        with ModbusTcpClient("127.0.0.1", port=self.port) as client:
            return bool(client.read_coils(number, count=1, device_id=1).bits[0])

    async def say(self, *what: object) -> None:
        await asyncio.to_thread(self.process.say, list(what))


@pytest.fixture(scope="module")
def plc() -> Iterator[Plc]:
    plc = Plc()
    yield plc
    plc.process.kill()


def test_a_coil_follows_and_is_read_back(plc: Plc, live: Live) -> None:
    async def part(output: Output) -> None:
        running = output(plc.settings())
        running.show(1)
        await running.shown(1)
        assert await plc.coil()
        running.show(0)
        await running.shown(0)
        assert not await plc.coil()

    live(part)


def test_a_coil_that_somebody_else_has_reset_is_set_again(plc: Plc, live: Live) -> None:
    async def part(output: Output) -> None:
        running = output(plc.settings())
        running.show(1)
        await running.shown(1)
        await plc.say("coil", 3, [False])
        await running.until(lambda: running.carrier.state.failures)
        await running.shown(1)
        await running.until(lambda: running.carrier.state.phase == "ok")
        assert await plc.coil()
        assert "reads [False]" in running.carrier.state.why

    live(part)


def test_a_register_shows_a_count(plc: Plc, live: Live) -> None:
    async def part(output: Output) -> None:
        running = output(plc.settings("holding/7"))
        running.show(65_535)
        await running.shown(65_535)

    live(part)


@pytest.mark.parametrize("how", ["kill", "hang"])
def test_a_device_that_dies_or_hangs_is_told_and_shows_the_newest_level_when_it_is_back(
    plc: Plc, live: Live, how: str
) -> None:
    async def part(output: Output) -> None:
        running = output(plc.settings())
        await running.shown(0)
        plc.process.kill() if how == "kill" else plc.process.hang()
        try:
            await running.phase("failing")
            assert running.carrier.state.why
            running.show(1)
            assert running.carrier.pending == 1
        finally:
            await asyncio.to_thread(plc.process.start) if how == "kill" else plc.process.go_on()
        await running.shown(1)
        assert await plc.coil()
        assert running.carrier.pending == 0

    live(part)


def test_an_address_that_the_device_refuses_is_told(plc: Plc, live: Live) -> None:
    async def part(output: Output) -> None:
        running = output(plc.settings("holding/500"))
        await running.phase("failing")
        assert "illegal address" in running.carrier.state.why

    live(part)


async def _lie(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take every write of a coil, and always read 0."""
    try:
        while True:
            head = await reader.readexactly(7)
            number, _, length, unit = struct.unpack(">HHHB", head)
            body = await reader.readexactly(length - 1)
            answer = body if body[0] == 5 else bytes([1, 1, 0])
            writer.write(struct.pack(">HHHB", number, 0, len(answer) + 1, unit) + answer)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def test_a_device_that_says_yes_and_does_nothing_is_not_believed(live: Live) -> None:
    async def part(output: Output) -> None:
        port = free_port()
        server = await asyncio.start_server(_lie, "127.0.0.1", port)
        async with server:
            running = output({"type": "modbus-tcp", "host": "127.0.0.1", "port": port, "address": "coil/3"})
            running.show(1)
            await running.phase("failing")
            assert "reads [False], it was told True" in running.carrier.state.why
            assert running.carrier.facts()["shown"] is None
            await running.carrier.stop()

    live(part)


def test_only_coils_and_holding_registers_can_be_written() -> None:
    for address in ("input/3", "discrete/3", "coil", "coil/x"):
        with pytest.raises(ValidationError):
            ModbusTcp.model_validate({"type": "modbus-tcp", "host": "h", "address": address})


class Waiting:
    """A client whose every question waits as pymodbus waits, until the test answers it."""

    connected = False

    def __init__(self) -> None:
        self.asked: asyncio.Queue[asyncio.Future[object]] = asyncio.Queue()

    async def ask(self, *_number: object, **_unit: object) -> object:
        answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self.asked.put_nowait(answer)
        return await asyncio.wait_for(answer, 60)

    connect = write_coil = write_register = read_coils = read_holding_registers = ask

    def close(self) -> None:
        self.connected = False


@pytest.mark.parametrize("address", ["coil/3", "holding/7"])
@pytest.mark.parametrize("place", [0, 1, 2], ids=["connecting", "writing", "reading back"])
def test_a_stop_that_comes_together_with_an_answer_is_heard(
    address: str, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def part() -> None:
        client = Waiting()
        monkeypatch.setattr(ModbusTcp, "client", lambda _settings: client)
        switch = ModbusTcp(type="modbus-tcp", host="127.0.0.1", address=address).make()
        showing = asyncio.create_task(switch.show(1))
        for _ in range(place + 1):
            (await client.asked.get()).set_result(SimpleNamespace(bits=[True], registers=[1]))
            client.connected = True
        showing.cancel()
        await asyncio.wait([showing], timeout=5)
        assert showing.cancelled(), "it went on"

    asyncio.run(part())
