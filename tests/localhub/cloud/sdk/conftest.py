"""A hub and a cloud as processes, and unmodified SDK clients that go through them."""

import asyncio
import gc
import itertools
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from azure.iot.device.aio import IoTHubModuleClient

from localhub import certs, control
from localhub.identity import Identities, Identity
from localhub.state import State

MANIFEST = {
    "$edgeAgent": {"properties.desired": {"modules": {"alpha": {}, "beta": {}}}},
    "$edgeHub": {
        "properties.desired": {
            "schemaVersion": "1.1",
            "routes": {"up": {"route": "FROM /messages/* INTO $upstream", "priority": 0, "timeToLiveSecs": 3600}},
            "storeAndForwardConfiguration": {"timeToLiveSecs": 3600},
        }
    },
    "alpha": {"properties.desired": {"rate": 1}},
}
_addresses = itertools.count(1)


class Gateway:
    """Both processes, and what it takes to speak to them."""

    def __init__(self, root: Path) -> None:
        address = f"127.{200 + os.getpid() % 50}.{os.getpid() // 50 % 256}.{next(_addresses)}"
        self.state = State.prepare(root, address=address)
        self.state.manifest.write_text(json.dumps(MANIFEST))
        certs.ensure(self.state)
        self.identities = Identities.ensure(self.state.identities, self.state.gateway, ["alpha", "beta"])
        self.processes: dict[str, asyncio.subprocess.Process] = {}

    @property
    def cloud(self) -> control.AsyncClient:
        """The cloud's control API."""
        return control.AsyncClient(self.state.cloud_socket)

    @property
    def hub(self) -> control.AsyncClient:
        """The hub's control API."""
        return control.AsyncClient(self.state.hub_socket)

    async def start(self, name: str) -> None:
        """Start `hub` or `cloud`, and return when it answers."""
        log = self.state.log(name)
        log.parent.mkdir(exist_ok=True)
        with log.open("ab") as output:
            self.processes[name] = await asyncio.create_subprocess_exec(
                sys.executable, "-m", f"localhub.{name}", "--state", str(self.state.root), stdout=output, stderr=output
            )
        path = self.state.run / f"{name}.sock"
        assert await control.wait_for(path, timeout_s=60), log.read_text()

    async def stop(self, name: str, number: int = signal.SIGTERM) -> None:
        """Stop a process."""
        process = self.processes.pop(name)
        process.send_signal(number)
        await asyncio.wait_for(process.wait(), 60)

    @asynccontextmanager
    async def client(self, name: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[IoTHubModuleClient]:
        """An SDK client made from the environment, as a module is debugged: it can invoke methods, too."""
        text = self.identities.connection_string(Identity("gw1", name), self.state.hub_name, self.state.address)
        monkeypatch.setenv("EdgeHubConnectionString", text)
        monkeypatch.setenv("EdgeModuleCACertificateFile", str(self.state.ca_certificate))
        client = IoTHubModuleClient.create_from_edge_environment(connection_retry_interval=1)
        await client.connect()
        try:
            yield client
        finally:
            await client.shutdown()

    async def until(self, path: str, condition: Callable[[Any], bool]) -> Any:
        """Ask the cloud until its answer is as wanted; the answer."""
        async with asyncio.timeout(60):
            while not condition(answer := await self.cloud.get(path)):  # noqa: ASYNC110  another process
                await asyncio.sleep(0.02)
        return answer

    async def arrived(self, count: int) -> Any:
        """Wait until so many ids have arrived at the cloud; the counts."""
        return await self.until("/count", lambda counts: counts["distinct"] >= count)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """The only event loop we run on."""
    return "asyncio"


@pytest.fixture(scope="module")
async def gateway() -> AsyncIterator[Gateway]:
    """A hub and a cloud that run."""
    root = Path(tempfile.mkdtemp(prefix="lh-"))
    made = Gateway(root)
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, root)
        await asyncio.gather(made.start("cloud"), made.start("hub"))
        yield made
        for name in list(made.processes):
            await made.stop(name)


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """What paho leaves open is collected here, where it is expected, and not in some other test."""
    yield
    gc.collect()
