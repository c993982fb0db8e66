"""What goes past FastAPI: answers that are asked for again and again, and events, straight to their connections."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest

from modules.status.api.quick import READS

if TYPE_CHECKING:
    from tests.modules.status.conftest import Line

Play = Callable[[Callable[["Line"], Awaitable[None]]], None]


@pytest.mark.parametrize("path", sorted(READS))
def test_what_is_answered_quickly_is_what_the_routes_answer(play_line: Play, path: str) -> None:
    moving = {"time", "heard_s", "age_s", "seconds"}  # they say when it was asked

    def still(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: still(each) for name, each in value.items() if name not in moving}
        return [still(each) for each in value] if isinstance(value, list) else value

    async def part(line: "Line") -> None:
        line.heartbeat()
        line.alert()
        await line.settled()
        quick = await line.client.get(path)
        routed = await line.client.get(path, params={"plain": "no"})
        assert quick.status_code == routed.status_code == 200
        assert quick.headers.keys() == routed.headers.keys()
        assert quick.headers["content-type"] == routed.headers["content-type"]
        assert still(quick.json()) == still(routed.json())
        assert (await line.client.post(path, headers=line.acting)).status_code == 405

    play_line(part)


def test_events_reach_a_client_that_knows_no_chunks(play_line: Play) -> None:
    async def part(line: "Line") -> None:
        reader, writer = await asyncio.open_connection(line.client.base_url.host, line.client.base_url.port)
        try:
            writer.write(b"GET /api/v1/events HTTP/1.0\r\nHost: localhost\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"chunked" not in head
            assert await reader.readuntil(b"\n\n") == b"retry: 1000\n\n"
        finally:
            writer.close()

    play_line(part)


def test_each_event_is_one_whole_chunk(play_line: Play) -> None:
    async def part(line: "Line") -> None:
        reader, writer = await asyncio.open_connection(line.client.base_url.host, line.client.base_url.port)
        try:
            writer.write(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"transfer-encoding: chunked" in (await reader.readuntil(b"\r\n\r\n")).lower()
            seen = b""
            line.alert(text="é" * 300)
            while b"event: alert" not in seen:
                length = int(await reader.readline(), 16)
                seen = await reader.readexactly(length)
                assert await reader.readexactly(2) == b"\r\n"
            assert ("é" * 300).encode() in seen
            line.module.events.close()
            while (length := int(await reader.readline(), 16)) > 0:
                await reader.readexactly(length + 2)
            assert await reader.readexactly(2) == b"\r\n"  # and the end is that of any answer
        finally:
            writer.close()

    play_line(part)
