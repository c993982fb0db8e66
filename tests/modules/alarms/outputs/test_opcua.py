"""Nodes of a real asyncua server."""

import asyncio
from typing import Any

import pytest
from asyncua.sync import Client

from tests.modules.alarms.conftest import Live, Output
from tests.modules.sensors.parts import Opc


def settings(opc: Opc, node: str = "nsu=urn:millwatch:test;s=Press.alarm", **more: object) -> dict[str, object]:
    return {"type": "opcua", "url": opc.url, "node": node, "timeout_s": 1, "check_s": 0.5} | more


async def seen(opc: Opc, name: str) -> Any:
    def read() -> Any:
        with Client(opc.url) as client:
            return client.get_node(f"ns=2;s=Press.{name}").read_value()

    return await asyncio.to_thread(read)


def test_a_node_follows_and_is_read_back(opc: Opc, live: Live) -> None:
    async def part(output: Output) -> None:
        running = output(settings(opc))
        running.show(1)
        await running.shown(1)
        assert await seen(opc, "alarm") is True
        running.show(0)
        await running.shown(0)
        assert await seen(opc, "alarm") is False

    live(part)


def test_a_number_counts_in_the_type_of_its_node(opc: Opc, live: Live) -> None:
    async def part(output: Output) -> None:
        running = output(settings(opc, "ns=2;s=Press.beats"))
        running.show(65_535)
        await running.shown(65_535)
        assert await seen(opc, "beats") == 65_535

    live(part)


@pytest.mark.parametrize(
    ("node", "why"),
    [
        ("ns=2;s=Press.nothing", "Unknown"),
        ("ns=2;s=Press.text", "neither truth value nor whole number"),
        ("ns=2;s=Press.door", "BadUserAccessDenied"),
        ("nsu=urn:nobody;s=x", "no namespace"),
    ],
)
def test_what_cannot_be_written_is_told(opc: Opc, live: Live, node: str, why: str) -> None:
    async def part(output: Output) -> None:
        running = output(settings(opc, node))
        running.show(1)
        await running.phase("failing")
        assert why in running.carrier.state.why or "Bad" in running.carrier.state.why

    live(part)


@pytest.mark.parametrize("how", ["hang", "kill"])
def test_a_server_that_dies_or_hangs_is_told_and_shows_the_newest_level_when_it_is_back(
    opc: Opc, live: Live, how: str
) -> None:
    async def part(output: Output) -> None:
        running = output(settings(opc))
        await running.shown(0)
        opc.process.kill() if how == "kill" else opc.process.hang()
        try:
            await running.phase("failing")
            running.show(1)
        finally:
            await asyncio.to_thread(opc.process.start) if how == "kill" else opc.process.go_on()
        await running.shown(1)
        assert await seen(opc, "alarm") is True

    live(part)
