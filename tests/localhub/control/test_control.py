"""Control sockets: JSON both ways, errors in words, streams, who called, and who is already there."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from localhub import control
from localhub.control import Call

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def echo(call: Call) -> object:
    return {"item": call.path["item"], "query": dict(call.query), "body": call.body, "peer": call.peer}


async def refuse(_call: Call) -> object:
    raise control.Refused(409, "the link is down already")


async def count(_call: Call) -> AsyncIterator[int]:
    async def numbers() -> AsyncIterator[int]:
        for number in range(3):
            yield number

    return numbers()


APP = control.application(
    control.post("/items/{item}", echo), control.get("/refuse", refuse), control.get("/count", count)
)


async def test_json_both_ways_and_the_caller_is_known(tmp_path: Path) -> None:
    path = tmp_path / "hub.sock"
    async with control.serving(APP, path):
        assert path.stat().st_mode & 0o777 == 0o600
        client = control.AsyncClient(path)
        answer = await client.request("POST", "/items/a", {"x": [1, 2]}, after=3)
        assert answer == {"item": "a", "query": {"after": "3"}, "body": {"x": [1, 2]}, "peer": os.getpid()}
        with pytest.raises(control.ControlError, match="down already") as refused:
            await client.get("/refuse")
        assert refused.value.status == 409
        with pytest.raises(control.ControlError) as unknown:
            await client.get("/nowhere")
        assert unknown.value.status == 404
        assert [n async for n in client.stream("/count")] == [0, 1, 2]
    assert not path.exists()


async def test_a_body_that_is_not_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "hub.sock"
    async with control.serving(APP, path):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"POST /items/a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nConnection: close\r\n\r\n{")
        assert b"400" in await reader.readline()
        writer.close()


async def test_the_blocking_client(tmp_path: Path) -> None:
    path = tmp_path / "hub.sock"

    def work() -> tuple[object, list[object]]:
        client = control.Client(path)
        return client.post("/items/b", 1)["body"], list(client.stream("/count"))

    async with control.serving(APP, path):
        assert await asyncio.to_thread(work) == (1, [0, 1, 2])


def test_a_missing_socket_says_what_to_do(tmp_path: Path) -> None:
    client = control.Client(tmp_path / "none.sock", hint=control.start_hint(tmp_path))
    with pytest.raises(control.NotRunningError, match=r"not running with state .* start it with"):
        client.get("/status")


async def test_a_missing_socket_async(tmp_path: Path) -> None:
    with pytest.raises(control.NotRunningError, match="nothing answers"):
        await control.AsyncClient(tmp_path / "none.sock").get("/status")


async def test_no_answer_in_time(tmp_path: Path) -> None:
    path = tmp_path / "hub.sock"
    with control.listening(path), pytest.raises(control.ControlError, match=r"no answer within 0.05 s"):
        await control.AsyncClient(path, timeout_s=0.05).get("/status")


async def test_a_dead_socket_is_replaced_and_a_living_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "hub.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(os.fspath(path))
    assert not control.answers(path)
    async with control.serving(APP, path):
        assert await control.wait_for(path, timeout_s=1)
        with pytest.raises(FileExistsError, match="another localhub"):
            control.listen(path)
    assert not await control.wait_for(path, timeout_s=0.05)


def test_a_path_too_long_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="shorter --state"):
        control.listen(tmp_path / ("x" * 120))
