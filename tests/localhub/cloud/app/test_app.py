"""The control API and the commands on top of it, with a hub that answers methods."""

import argparse
import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import apsw
import pytest

from localhub import control, link
from localhub.cloud import commands
from localhub.cloud.app import CloudApi
from localhub.cloud.arrivals import Arrivals
from localhub.cloud.deployer import Deployer
from localhub.cloud.gateways import Gateways
from localhub.cloud.server import LinkServer
from localhub.cloud.twins import CloudTwins
from localhub.control.client import ControlError, NotRunningError
from localhub.hub.uplink import LinkSetting, Uplink
from localhub.identity import Identity
from localhub.state import State

pytestmark = pytest.mark.anyio
Make = Callable[..., link.Telemetry]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def state(database: apsw.Connection) -> Iterator[State]:
    root = Path(tempfile.mkdtemp(prefix="lh-"))
    prepared = State.prepare(root)
    prepared.cloud_db.parent.mkdir()
    prepared.cloud_db.symlink_to(database.filename)
    yield prepared
    shutil.rmtree(root)


class FakeHub:
    """Takes what the cloud sends, answers methods by their name."""

    def __init__(self, state: State) -> None:
        self.changes: asyncio.Queue[link.Desired] = asyncio.Queue()
        self.uplink = Uplink(state, self)

    def synced(self, twins: object) -> None:
        """Nothing to do."""

    def desired(self, change: link.Desired) -> None:
        self.changes.put_nowait(change)

    def called(self, call: link.Call) -> None:
        answers = {
            "ping": link.MethodAnswer(call.call, 200, b'{"pong":true}'),
            "refuse": link.MethodAnswer(call.call, 409, b"not json"),
            "absent": link.MethodAnswer(call.call, 404, b"", "gw1/camera is not connected"),
        }
        self.uplink.answer(answers[call.name])


@pytest.fixture
async def hub(state: State, database: apsw.Connection, now: datetime, message: Make) -> AsyncIterator[FakeHub]:
    arrivals, twins, gateways = Arrivals(database), CloudTwins(database, "gw1"), Gateways(state, database)
    server = LinkServer(arrivals, twins, gateways, lambda: now)
    twins.seed({"camera": {"properties.desired": {"rate": 1}}})
    state.manifest.write_text('{"camera": {"properties.desired": {"rate": 7}}}')  # after it was last read
    api = CloudApi(arrivals, twins, gateways, server, Deployer(gateways, twins, server.push), lambda _gateway: None)
    async with server.serving(state.link_socket), control.serving(api.app(), state.cloud_socket):
        fake = FakeHub(state)
        running = asyncio.create_task(fake.uplink.run())
        await fake.uplink.up()
        await fake.uplink.send([message("a"), message("b"), message("a")])
        yield fake
        running.cancel()


@pytest.fixture
def localhub(state: State, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Runs a command as `localhub` would; gives its exit code and what it printed."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("--format", default="text")
    parser = argparse.ArgumentParser()
    commands.add_parsers(parser.add_subparsers(dest="command"), parent)

    async def run(*words: str) -> tuple[int, str]:
        options = parser.parse_args(words)
        code = await asyncio.to_thread(commands.COMMANDS[options.command], options, state)
        return code, capsys.readouterr().out

    return run


async def test_what_arrived_is_counted_and_listed(hub: FakeHub, localhub: Callable[..., Any]) -> None:
    code, text = await localhub("cloud", "count")
    assert (code, text) == (0, "3 arrivals, 2 distinct ids, 1 repeats (0 not identical), 219 bytes\n")
    _, text = await localhub("cloud", "count", "--format", "json")
    assert json.loads(text)["distinct"] == 2
    _, text = await localhub("cloud", "tail", "-n", "2")
    assert [line.split()[:4] for line in text.splitlines()] == [
        ["2", "2026-01-02T03:04:05.678Z", "gw1/cache", "b"],
        ["3", "2026-01-02T03:04:05.678Z", "gw1/cache", "a"],
    ]
    assert "(repeat) kind=alert" in text
    _, text = await localhub("cloud", "tail", "-n", "1", "--raw", "--format", "json")
    assert json.loads(text)["body_b64"] == "eyJ4IjoxfQ=="
    assert hub.uplink.is_up


async def test_counts_outlive_the_cloud(
    state: State, database: apsw.Connection, now: datetime, message: Make, localhub: Callable[..., Any]
) -> None:
    Arrivals(database).append([message("a"), message("b")], now)
    assert (await localhub("cloud", "count"))[1].startswith("2 arrivals, 2 distinct ids")
    assert len((await localhub("cloud", "tail"))[1].splitlines()) == 2
    with pytest.raises(NotRunningError, match="python -m localhub run"):
        await localhub("cloud", "tail", "-f")
    state.cloud_db.unlink()
    with pytest.raises(NotRunningError):
        await localhub("cloud", "count")


async def test_a_twin_is_read_and_patched_and_the_hub_hears_of_it(hub: FakeHub, localhub: Callable[..., Any]) -> None:
    code, text = await localhub("twin", "set", "camera", "settings.rate=5", "settings.name=left", "rate=null")
    assert (code, text) == (0, "desired version 2\n")
    _, text = await localhub("twin", "get", "camera")
    assert json.loads(text)["desired"] == {"settings": {"rate": 5, "name": "left"}, "$version": 2}
    await localhub("twin", "set", "camera", '{"settings": null}')
    changes = [await hub.changes.get(), await hub.changes.get()]
    assert [(json.loads(change.patch), change.version) for change in changes] == [
        ({"settings": {"rate": 5, "name": "left"}, "rate": None}, 2),
        ({"settings": None}, 3),
    ]


async def test_a_changed_manifest_reaches_the_hub(hub: FakeHub, state: State) -> None:
    client = control.AsyncClient(state.cloud_socket)
    assert await client.post("/reload") == {"changed": ["gw1/camera"]}
    assert await client.post("/reload") == {"changed": []}
    assert await hub.changes.get() == link.Desired("gw1", "camera", b'{"rate":7}', 2)


async def test_methods_give_status_and_payload(hub: FakeHub, localhub: Callable[..., Any]) -> None:
    assert await localhub("method", "camera", "ping", "{}") == (0, '200 {"pong": true}\n')
    assert await localhub("method", "camera", "refuse") == (1, '409 "not json"\n')
    with pytest.raises(ControlError, match="not connected") as refused:
        await localhub("method", "camera", "absent")
    assert refused.value.status == 404
    hub.uplink.set(LinkSetting("down"))
    await asyncio.sleep(0.05)
    with pytest.raises(ControlError, match="the gateway of gw1/camera is not connected"):
        await localhub("method", "camera", "ping")


async def test_tail_follows(hub: FakeHub, state: State, message: Make) -> None:
    seen = []
    client = control.AsyncClient(state.cloud_socket)
    async for arrival in client.stream("/tail", after=2):
        seen.append(arrival["message_id"])
        if len(seen) == 1:
            await hub.uplink.send([message("c")])
        else:
            break
    assert seen == ["a", "c"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["twin", "get", "ghost"], "no module gw1/ghost"),
        (["twin", "set", "ghost", "{}"], "no module gw1/ghost"),
        (["twin", "set", "camera", '{"a b": 1}'], "holds ' '"),
        (["twin", "set", "camera", "{"], "not JSON"),
        (["twin", "set", "camera", "rate"], "NAME.NAME=VALUE"),
        (["twin", "set", "camera", "a=1", "a.b=1"], "given a value before"),
        (["method", "camera", "ping", "{"], "not JSON"),
        (["method", "camera", "ping", "--timeout", "999"], "at most 300"),
    ],
)
async def test_refusals_are_in_words(hub: FakeHub, localhub: Callable[..., Any], words: list[str], reason: str) -> None:
    with pytest.raises(ControlError, match=reason):
        await localhub(*words)
    assert hub.changes.empty()


async def test_leaf_devices_and_whole_twins_are_taken(hub: FakeHub, state: State) -> None:
    await hub.uplink.report(Identity("press4"), {"x": 1}, 2)
    client = control.AsyncClient(state.cloud_socket)
    assert (await client.get("/twin/press4/"))["reported"] == {"x": 1, "$version": 2}
    whole = {"properties": {"desired": {"y": 1, "$version": 1, "$metadata": {}}, "reported": {}}, "etag": "AAAA="}
    assert (await client.request("PATCH", "/twin/gw1/camera", whole))["desired"]["y"] == 1
    status = await client.get("/status")
    assert status["link"]["connected"]
    assert status["arrivals"] == 3
