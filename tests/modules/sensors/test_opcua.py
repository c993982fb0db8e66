"""OPC UA against a real asyncua server."""

import asyncio
import math
import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from modules.sensors.sources.opcua import OpcUa
from tests.modules.sensors.conftest import Live, Source
from tests.modules.sensors.parts import Opc, Pair

NODES = [
    {"name": "press/oil", "address": "ns=2;s=Press.oil", "unit": "Cel"},
    {"name": "press/force", "address": "nsu=urn:millwatch:test;s=Press.force", "scale": 1000, "unit": "N"},
    {"name": "press/door", "address": "ns=2;s=Press.door"},
    {"name": "press/bearing", "address": "ns=2;s=Press.wave", "rate_hz": 100, "unit": "m/s2"},
    {"name": "press/text", "address": "ns=2;s=Press.text"},
]


def test_values_come_with_the_time_of_the_source(opc: Opc, live: Live) -> None:
    async def part(source: Source) -> None:
        running = source(opc.settings(points=NODES))
        await running.phase("ok")
        opc.set("oil", 61.5, age=100)
        found = await running.value("press/oil", 61.5)
        assert found.unit == "Cel"
        assert found.time == pytest.approx(time.time() - 100, abs=20)
        opc.set("force", 12, kind="Int32")
        await running.value("press/force", 12_000)
        opc.set("door", True, kind="Boolean")
        await running.value("press/door", 1)
        opc.set("wave", [float(n) for n in range(50)])
        await running.until(lambda: running.blocks and len(running.blocks[-1].samples) == 200)

    live(part)


def test_what_cannot_be_used_is_counted_by_reason(opc: Opc, live: Live) -> None:
    async def part(source: Source) -> None:
        running = source(opc.settings(points=NODES, interval_s=0.02))
        await running.phase("ok")
        opc.set("text", "hot", kind="String")
        await running.until(lambda: running.dropped.get("wrong_type"))
        opc.set("oil", math.nan)
        await running.until(lambda: running.dropped.get("nan"))
        opc.set("oil", 1.0, age=90_000)
        await running.until(lambda: running.dropped.get("time"))
        opc.set("oil", 2.0, status="BadSensorFailure")
        await running.until(lambda: running.dropped.get("bad_quality"))
        opc.set("oil", 3.0)
        await running.value("press/oil", 3.0)

    live(part)


def test_a_node_that_is_not_there_costs_only_itself(opc: Opc, live: Live) -> None:
    async def part(source: Source) -> None:
        running = source(opc.settings(points=[NODES[0], {"name": "ghost", "address": "ns=2;s=Ghost"}]))
        await running.until(lambda: running.readings)
        assert running.watch.state.troubles == {"ghost": "ghost: the server says BadNodeIdUnknown"}
        assert running.watch.state.phase == "ok"

    live(part)


def test_read_now_reads_what_has_not_changed(opc: Opc, live: Live) -> None:
    async def part(source: Source) -> None:
        running = source(opc.settings(points=NODES[:1]))
        await running.until(lambda: running.readings)
        before = running.watch.intake.readings
        assert await running.watch.read_now(60)
        await running.until(lambda: running.watch.intake.readings > before)

    live(part)


@pytest.mark.parametrize("how", ["hang", "kill"])
def test_a_server_that_dies_or_hangs_is_reported_and_comes_back(opc: Opc, live: Live, how: str) -> None:
    async def part(source: Source) -> None:
        running = source(opc.settings(points=NODES[:1], timeout_s=1))
        await running.phase("ok")
        opc.process.kill() if how == "kill" else opc.process.hang()
        await running.phase("dead")
        assert opc.url in running.watch.state.why
        await asyncio.to_thread(opc.process.start) if how == "kill" else opc.process.go_on()
        await running.phase("ok")
        await asyncio.to_thread(opc.set, "oil", 7.25)
        await running.value("press/oil", 7.25)
        assert running.outages >= 1

    live(part)


def test_a_secured_server_is_read_and_only_the_one_that_is_trusted(live: Live, tmp_path: Path) -> None:
    server, client, other = (Pair.make(tmp_path, name) for name in ("server", "client", "other"))
    secret = tmp_path / "secret"
    secret.write_text("press:guess\n")
    opc = Opc(server.der, server.key, "press", "guess")
    secured = opc.settings(
        points=NODES[:1],
        timeout_s=10,
        credentials_file=str(secret),
        policy="Basic256Sha256",
        cert_file=str(client.der),
        key_file=str(client.key),
        server_cert_file=str(server.der),
    )

    async def part(source: Source) -> None:
        running = source(secured)
        await running.phase("ok")
        opc.set("oil", 61.5)
        await running.value("press/oil", 61.5)
        stranger = source(secured | {"server_cert_file": str(other.der), "timeout_s": 1})
        await stranger.phase("dead")
        assert "guess" not in str(stranger.watch.facts())
        open_one = source(opc.settings(points=NODES[:1], timeout_s=1))
        await open_one.phase("dead")

    try:
        live(part)
    finally:
        opc.process.kill()


def test_security_is_whole_or_absent() -> None:
    with pytest.raises(ValidationError, match="go together"):
        OpcUa(type="opcua", url="opc.tcp://host:4840", policy="Basic256Sha256")
    with pytest.raises(ValidationError, match="pattern"):
        OpcUa(type="opcua", url="opc.tcp://me:secret@192.0.2.1:4840")
