"""The cloud's end of the link: nothing acknowledged is lost, whatever is cut or killed."""

import asyncio
import random
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

import apsw
import pytest

from localhub import link
from localhub.cloud.arrivals import Arrivals
from localhub.cloud.database import open_to_read
from localhub.cloud.gateways import Gateways
from localhub.cloud.server import LinkServer, OfflineError
from localhub.cloud.twins import CloudTwins, DesiredPatch
from localhub.identity import Identity
from localhub.state import State

pytestmark = pytest.mark.anyio
Make = Callable[..., link.Telemetry]

SENDER = "gw1"


class RawHub:
    """The hub's side, frame by frame."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._frames = link.from_cloud()
        self._ready: list[link.Down] = []

    def send(self, frame: link.Up) -> None:
        self.writer.write(link.encode(frame))

    async def next(self) -> link.Down:
        while not self._ready:
            data = await asyncio.wait_for(self.reader.read(65536), 60)
            if not data:
                raise ConnectionResetError
            self._ready += self._frames.feed(data)
        return self._ready.pop(0)


@asynccontextmanager
async def raw_hub(state: State, *, hello: str = SENDER) -> AsyncIterator[RawHub]:
    reader, writer = await asyncio.open_unix_connection(str(state.link_socket))
    try:
        hub = RawHub(reader, writer)
        hub.send(link.Hello(hello))
        yield hub
    finally:
        writer.close()


@pytest.fixture
def server(state: State, database: apsw.Connection, now: datetime) -> LinkServer:
    return LinkServer(Arrivals(database), CloudTwins(database, "gw1"), Gateways(state, database), lambda: now)


def stored(database: apsw.Connection) -> list[str]:
    return [row[0] for row in database.execute("SELECT message_id FROM arrivals ORDER BY number")]


async def test_an_acknowledgement_comes_after_the_commit(
    state: State, server: LinkServer, database: apsw.Connection, message: Make
) -> None:
    async with server.serving(state.link_socket), raw_hub(state) as hub:
        assert isinstance(await hub.next(), link.Sync)
        for number in (1, 2, 3):
            hub.send(link.Batch(number, [message(f"{number}a"), message(f"{number}b")]))
        seen = 0
        while seen < 3:
            ack = await hub.next()
            assert isinstance(ack, link.Ack)
            seen = ack.number
            assert len(stored(database)) >= 2 * seen
        assert stored(database) == ["1a", "1b", "2a", "2b", "3a", "3b"]


async def test_a_frame_that_was_cut_is_not_kept(
    state: State, server: LinkServer, database: apsw.Connection, message: Make
) -> None:
    async with server.serving(state.link_socket):
        async with raw_hub(state) as hub:
            await hub.next()
            hub.send(link.Batch(1, [message("whole")]))
            hub.writer.write(link.encode(link.Batch(2, [message("cut"), message("cut2")]))[:-1])
            assert await hub.next() == link.Ack(1)
        async with raw_hub(state) as hub:
            await hub.next()
            hub.send(link.Batch(1, [message("cut"), message("cut2")]))
            assert await hub.next() == link.Ack(1)
    assert stored(database) == ["whole", "cut", "cut2"]


async def test_what_cannot_be_committed_is_not_acknowledged(
    state: State, server: LinkServer, database: apsw.Connection, message: Make
) -> None:
    async with server.serving(state.link_socket):
        async with raw_hub(state) as hub:
            await hub.next()
            database.pragma("max_page_count", database.pragma("page_count"))
            hub.send(link.Batch(1, [message("big", b"x" * 100_000)]))
            with pytest.raises(ConnectionResetError):
                await hub.next()
        database.pragma("max_page_count", 1_000_000)
        async with raw_hub(state) as hub:
            await hub.next()
            hub.send(link.Batch(1, [message("big", b"x" * 100_000)]))
            assert await hub.next() == link.Ack(1)


async def test_a_second_hub_replaces_the_first(state: State, server: LinkServer) -> None:
    async with server.serving(state.link_socket), raw_hub(state) as first:
        await first.next()
        async with raw_hub(state) as second:
            await second.next()
            with pytest.raises(ConnectionResetError):
                await first.next()
            server.push(DesiredPatch(Identity("gw1", "camera"), {"a": 1}, 2))
            assert await second.next() == link.Desired("gw1", "camera", b'{"a":1}', 2)


@pytest.mark.parametrize("nonsense", [b"\xff\xff\xff\xff", b"\0\0\0\1\xc1", link.encode(link.Hello("gw2"))])
async def test_a_stranger_is_turned_away_and_the_hub_stays(state: State, server: LinkServer, nonsense: bytes) -> None:
    async with server.serving(state.link_socket), raw_hub(state) as hub:
        await hub.next()
        reader, writer = await asyncio.open_unix_connection(str(state.link_socket))
        writer.write(nonsense)
        assert await reader.read() == b""
        writer.close()
        assert server.connected_since("gw1") is not None


async def test_reported_properties_are_acknowledged_in_turn(
    state: State, server: LinkServer, database: apsw.Connection, message: Make
) -> None:
    async with server.serving(state.link_socket), raw_hub(state) as hub:
        await hub.next()
        hub.send(link.Batch(1, [message("a")]))
        hub.send(link.Reported(2, "gw1", "camera", b'{"x":1}', 5))
        seen = 0
        while seen < 2:
            ack = await hub.next()
            assert isinstance(ack, link.Ack)
            seen = ack.number
    twin = CloudTwins(database, "gw1").get(Identity("gw1", "camera"))
    assert twin is not None
    assert twin.reported.versioned() == {"x": 1, "$version": 5}


async def call(server: LinkServer) -> link.MethodAnswer:
    return await server.call(Identity("gw1", "camera"), "ping", b"{}", response_timeout_s=5, connect_timeout_s=0)


async def test_a_method_goes_down_and_its_answer_up(state: State, server: LinkServer) -> None:
    async with server.serving(state.link_socket):
        with pytest.raises(OfflineError, match="not connected"):
            await call(server)
        async with raw_hub(state) as hub:
            await hub.next()
            answer = asyncio.create_task(call(server))
            asked = await hub.next()
            assert isinstance(asked, link.Call)
            assert (asked.module, asked.name, asked.payload) == ("camera", "ping", b"{}")
            hub.send(link.MethodAnswer(asked.call + 1, 500, b""))  # of a call nobody made
            hub.send(link.MethodAnswer(asked.call, 200, b'"pong"'))
            assert (await answer).payload == b'"pong"'
            unanswered = asyncio.create_task(call(server))
            await hub.next()
        with pytest.raises(OfflineError, match="went away"):
            await unanswered


async def test_followers_see_what_arrives(state: State, server: LinkServer, message: Make) -> None:
    seen: list[str] = []

    async def follow() -> None:
        async for document in server.follow(0):
            seen.append(document["message_id"])
            if len(seen) == 3:
                return

    async with server.serving(state.link_socket), raw_hub(state) as hub:
        await hub.next()
        hub.send(link.Batch(1, [message("a")]))
        await hub.next()
        following = asyncio.create_task(follow())
        hub.send(link.Batch(2, [message("b"), message("c")]))
        await asyncio.wait_for(following, 60)
    assert seen == ["a", "b", "c"]


DIES_AFTER_COMMIT = """
import asyncio, os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from localhub.cloud.arrivals import Arrivals
from localhub.cloud.database import open_database
from localhub.cloud.gateways import Gateways
from localhub.cloud.server import LinkServer
from localhub.cloud.twins import CloudTwins
from localhub.state import State

class Dying(Arrivals):
    def append(self, messages, now):
        super().append(messages, now)
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    state = State.load(Path(sys.argv[1]))
    database = open_database(state.cloud_db)
    gateways = Gateways(state, database)
    server = LinkServer(Dying(database), CloudTwins(database, "gw1"), gateways, lambda: datetime.now(UTC))
    async with server.serving(state.link_socket):
        print("ready", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_killed_between_commit_and_acknowledgement_it_keeps_the_message_twice(
    state: State, message: Make
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", DIES_AFTER_COMMIT, str(state.root), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    batch = [message("a"), message("b")]
    async with raw_hub(state) as hub:
        await hub.next()
        hub.send(link.Batch(1, batch))
        with pytest.raises(ConnectionResetError):
            await hub.next()
    assert await process.wait() == -signal.SIGKILL
    async with cloud_process(state), raw_hub(state) as hub:
        await hub.next()
        hub.send(link.Batch(1, batch))
        assert await hub.next() == link.Ack(1)
    counts = Arrivals(open_to_read(state.cloud_db)).counts
    assert (counts.arrivals, counts.distinct, counts.repeats, counts.differing) == (4, 2, 2, 0)


async def test_kills_at_any_moment_lose_nothing_that_was_acknowledged(state: State, message: Make) -> None:
    moments = random.Random(7)
    acknowledged = sent = 0
    for _ in range(3):
        async with cloud_process(state) as process, raw_hub(state) as hub:
            await hub.next()
            asyncio.get_running_loop().call_later(moments.uniform(0.005, 0.1), process.kill)
            base = sent = acknowledged
            try:
                while True:
                    for _ in range(5):
                        sent += 1
                        hub.send(link.Batch(sent - base, [message(f"{sent}x"), message(f"{sent}y")]))
                    ack = await hub.next()
                    assert isinstance(ack, link.Ack)
                    acknowledged = base + ack.number
            except (ConnectionResetError, BrokenPipeError):
                assert await process.wait() == -signal.SIGKILL
    present = set(stored(open_to_read(state.cloud_db)))
    assert acknowledged > 0
    assert {f"{n}{end}" for n in range(1, acknowledged + 1) for end in "xy"} <= present


@asynccontextmanager
async def cloud_process(state: State) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m localhub.cloud`, up to its link socket; ended by SIGTERM unless it has died."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "localhub.cloud", "--state", str(state.root), stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    while b"messages are kept" not in (line := await process.stderr.readline()):
        assert line, "the cloud did not start"
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            await process.stderr.read()
        assert await process.wait() in (0, -signal.SIGKILL)
