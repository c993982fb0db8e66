"""What services stand on, for tests: a state folder, facts in memory, clients that record, a cloud in this process."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import apsw
import pytest

from localhub.cloud.arrivals import Arrivals
from localhub.cloud.database import open_database
from localhub.cloud.gateways import Gateways
from localhub.cloud.server import LinkServer
from localhub.cloud.twins import CloudTwins
from localhub.identity import Identity
from localhub.link import Telemetry
from localhub.state import State


class Facts:
    """Facts that are on disk after one more turn of the loop, unless `failure` is set."""

    def __init__(self) -> None:
        self.disk: dict[str, bytes] = {}
        self.failure: Exception | None = None

    def fact(self, name: str) -> bytes | None:
        return self.disk.get(name)

    def keep(self, values: Mapping[str, bytes]) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        loop.call_soon(self._commit, dict(values), done)
        return done

    def _commit(self, values: dict[str, bytes], done: asyncio.Future[None]) -> None:
        if self.failure is not None:
            done.set_exception(self.failure)
            return
        self.disk |= values
        done.set_result(None)


@dataclass
class FakeClient:
    """A client that is connected and records what it is sent."""

    identity: Identity
    filters: set[str] = field(default_factory=set)
    inbox: asyncio.Queue[tuple[str, bytes]] = field(default_factory=asyncio.Queue)

    def publish(self, topic: str, payload: bytes, qos: int) -> None:
        assert qos in (0, 1)
        self.inbox.put_nowait((topic, payload))

    def subscribed(self, prefix: str) -> bool:
        return any(name.startswith(prefix) for name in self.filters)

    async def next(self) -> tuple[str, bytes]:
        return await asyncio.wait_for(self.inbox.get(), 60)


class FakeHub(Facts):
    """Facts, clients, and what became of reported patches."""

    def __init__(self) -> None:
        super().__init__()
        self.clients: dict[Identity, FakeClient] = {}
        self.events: list[tuple[Identity, bytes]] = []

    def connect(self, name: str, *filters: str) -> FakeClient:
        identity = Identity("gw1", name)
        client = self.clients[identity] = FakeClient(identity, set(filters))
        return client

    def client(self, device: str, module: str | None) -> FakeClient | None:
        return self.clients.get(Identity(device, module))

    def twin_changed(self, identity: Identity, patch: bytes) -> None:
        self.events.append((identity, patch))

    def authenticate(self, identity: Identity, token: bytes) -> str | None:
        return None if token == f"token of {identity}".encode() else f"the token is not one of {identity}"


@dataclass
class Cloud:
    """A cloud in this process; `serving` is entered again for a restart."""

    state: State
    database: apsw.Connection
    twins: CloudTwins
    arrivals: Arrivals

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[LinkServer]:
        server = LinkServer(self.arrivals, self.twins, Gateways(self.state, self.database), lambda: datetime.now(UTC))
        async with server.serving(self.state.link_socket):
            yield server

    def ids(self) -> list[str]:
        return [row[0] for row in self.database.execute("SELECT message_id FROM arrivals ORDER BY number")]


@pytest.fixture
def anyio_backend() -> str:
    """The only event loop we run on."""
    return "asyncio"


@pytest.fixture
def hub() -> FakeHub:
    """A hub without a broker."""
    return FakeHub()


@pytest.fixture
def state() -> Iterator[State]:
    """A prepared state folder with a short path."""
    root = Path(tempfile.mkdtemp(prefix="lh-"))
    yield State.prepare(root, https_port=None)
    shutil.rmtree(root)


@pytest.fixture
def cloud(state: State) -> Iterator[Cloud]:
    """A cloud with an empty file."""
    database = open_database(state.cloud_db)
    yield Cloud(state, database, CloudTwins(database, "gw1"), Arrivals(database))
    database.close()


@pytest.fixture
def messages() -> Callable[[int, int], list[Telemetry]]:
    """Messages with ids first..first+count-1."""

    def make(first: int, count: int) -> list[Telemetry]:
        return [
            Telemetry(b"{}", {}, {"connectionDeviceId": "gw1", "messageId": str(number)})
            for number in range(first, first + count)
        ]

    return make


Restart = Callable[[], AbstractAsyncContextManager[LinkServer]]


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds; fails the test when it does not within 5 s."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  what is waited for has no event of its own
            await asyncio.sleep(0.001)


@pytest.fixture(name="until")
def until_fixture() -> Callable[[Callable[[], bool]], object]:
    """`until`, as a fixture: test files do not import each other."""
    return until
