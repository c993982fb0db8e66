"""What goes past FastAPI: answers that are asked for again and again, and events, straight to their connections."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI

from modules.status.api.quick import MOST, Understood

if TYPE_CHECKING:
    from tests.modules.status.conftest import Line

Play = Callable[[Callable[["Line"], Awaitable[None]]], None]


ASKED = [
    *("summary", "line", "modules", "queue", "latency", "links", "alerts"),
    *("links?link=cloud&limit=1", "alerts?limit=1", "alerts?severity=critical&acknowledged=false&limit=20"),
]


@pytest.mark.parametrize("target", ASKED)
def test_what_is_asked_again_is_answered_as_its_route_would(
    play_line: Play, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    moving = {"time", "heard_s", "age_s", "seconds", "now"}  # they say when it was asked

    def still(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: still(each) for name, each in value.items() if name not in moving}
        return [still(each) for each in value] if isinstance(value, list) else value

    async def part(line: "Line") -> None:
        path = f"/api/v1/{target}"
        line.heartbeat()
        line.alert()
        await line.settled()
        assert (await line.client.get(path)).status_code == 200
        line.alert()
        await line.settled()
        with monkeypatch.context() as without:

            async def nobody(*_: object) -> None:
                raise AssertionError("this went to FastAPI")

            without.setattr(FastAPI, "__call__", nobody)
            quick = await line.client.get(path)
        other = await line.client.get(f"{path}{'&' if '?' in path else '?'}asked=otherwise")
        assert quick.status_code == other.status_code == 200
        assert quick.headers.keys() == other.headers.keys()
        assert quick.headers["content-type"] == other.headers["content-type"]
        assert still(quick.json()) == still(other.json())
        assert (await line.client.post(path, headers=line.acting)).status_code == 405

    play_line(part)


def test_what_was_refused_is_refused_again(play_line: Play) -> None:
    async def part(line: "Line") -> None:
        for _ in range(2):
            assert (await line.client.get("/api/v1/alerts?limit=0")).status_code == 422
            assert (await line.client.get("/api/v1/links?link=moon")).status_code == 422

    play_line(part)


async def _nothing() -> None:
    """What is never read here."""


def test_questions_are_bounded_and_those_asked_again_stay() -> None:
    def scope(query: bytes, method: str = "GET") -> dict[str, Any]:
        return {"type": "http", "method": method, "path": "/p", "query_string": query}

    understood = Understood()
    understood.keep(scope(b"often"), _nothing)
    for number in range(1000):
        understood.keep(scope(b"%d" % number), _nothing)
        assert understood.find(scope(b"often")) is _nothing
    understood.keep(scope(b"x" * 1000), _nothing)
    assert len(understood) == MOST
    assert understood.find(scope(b"0")) is understood.find(scope(b"x" * 1000)) is None
    assert understood.find(scope(b"often", "POST")) is None


def test_a_client_that_knows_no_chunks_is_told_so(play_line: Play) -> None:
    async def part(line: "Line") -> None:
        reader, writer = await asyncio.open_connection(line.client.base_url.host, line.client.base_url.port)
        writer.write(b"GET /api/v1/events HTTP/1.0\r\nHost: localhost\r\n\r\n")
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 505 ")
        assert b"chunked" not in answer
        assert not len(line.module.events)
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
