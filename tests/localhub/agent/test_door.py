"""The door for containers: bytes pass both ways, and metrics go by the name that was asked for."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from unittest import mock

import pytest

from localhub.agent import door

pytestmark = pytest.mark.anyio
OUTSIDE, INSIDE = "127.61.7.1", "127.61.7.2"


@contextlib.asynccontextmanager
async def echo(word: bytes) -> AsyncIterator[int]:
    """Answers `word` and whatever it is sent."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(word)
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, INSIDE, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def free(at: str) -> int:
    with socket.create_server((at, 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
async def ports() -> AsyncIterator[tuple[int, int]]:
    mqtt, metrics = free(OUTSIDE), free(OUTSIDE)
    with mock.patch.object(door, "MQTT", mqtt), mock.patch.object(door, "METRICS", metrics):
        yield mqtt, metrics


async def test_bytes_pass_both_ways_and_the_end_too(ports: tuple[int, int]) -> None:
    sent = bytes(range(256)) * 4096
    async with echo(b"hello") as inner, door.opened(OUTSIDE, {ports[0]: lambda _name: (INSIDE, inner)}):
        reader, writer = await asyncio.open_connection(OUTSIDE, ports[0])
        assert await reader.readexactly(5) == b"hello"
        writer.write(sent)
        assert await reader.readexactly(len(sent)) == sent
        writer.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(INSIDE, ports[0])


async def test_metrics_by_name(ports: tuple[int, int]) -> None:
    async with echo(b"agent") as agent, echo(b"hub") as hub:
        targets: door.Targets = {ports[1]: lambda name: (INSIDE, agent if name == "edgeagent" else hub)}
        async with door.opened(OUTSIDE, targets):
            for host, says in ((b"edgeAgent:9600", b"agent"), (b"EDGEHUB", b"hub"), (b"", b"hub")):
                reader, writer = await asyncio.open_connection(OUTSIDE, ports[1])
                asked = b"GET /metrics HTTP/1.1\r\nHost: " + host + b"\r\n\r\n"
                writer.write(asked)
                assert await reader.readexactly(len(says) + len(asked)) == says + asked
                writer.close()


async def test_a_hub_that_is_away_is_a_closed_connection(ports: tuple[int, int]) -> None:
    nobody = free(INSIDE)
    async with door.opened(OUTSIDE, {ports[0]: lambda _name: (INSIDE, nobody), ports[1]: lambda _name: None}):
        for port in ports:
            reader, writer = await asyncio.open_connection(OUTSIDE, port)
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
            writer.close()


async def test_only_the_brokers_port_must_be_had(ports: tuple[int, int], caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server((OUTSIDE, ports[1])):
        async with door.opened(OUTSIDE, {ports[1]: lambda _name: None}):
            assert f"cannot reach port {ports[1]}" in caplog.text
    with socket.create_server((OUTSIDE, ports[0])), pytest.raises(OSError, match="address already in use"):
        async with door.opened(OUTSIDE, {ports[0]: lambda _name: None}):
            pytest.fail("it opened")
