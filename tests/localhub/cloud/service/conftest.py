"""One localhub with one module, and the service SDK's own clients for its API."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.iot.hub import IoTHubConfigurationManager, IoTHubRegistryManager

from localhub.cloud.service.serving import login
from localhub.testing import Hub, running, write_manifest

ECHO = """
import asyncio, signal
from azure.iot.device import MethodResponse
from azure.iot.device.aio import IoTHubModuleClient

async def main():
    client = IoTHubModuleClient.create_from_edge_environment(connection_retry_interval=1)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    async def method(request):
        if request.name != "silent":
            await client.send_method_response(MethodResponse(request.request_id, 202, request.payload))

    client.on_method_request_received = method
    await client.connect()
    await client.patch_twin_reported_properties({"up": True})
    await stop.wait()
    await client.shutdown()

asyncio.run(main())
"""


@pytest.fixture(scope="package")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("service")
    (folder / "echo.py").write_text(ECHO)
    command = [sys.executable, "echo.py"]
    return write_manifest(folder, {"echo": command}, {"up": "FROM /messages/* INTO $upstream"}, {"echo": {"rate": 1}})


@pytest.fixture(scope="package")
def shared(manifest: Path) -> Iterator[Hub]:
    with running(manifest) as hub:
        hub.until((hub.state.root / "cloud" / "service.port").exists, 60, "the service API")
        yield hub


@pytest.fixture
def hub(shared: Hub, manifest: Path) -> Iterator[Hub]:
    yield shared
    shared.apply(manifest)


Client = Callable[[type[Any]], Any]


@pytest.fixture
def client(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Client:
    """Makes a client of the service SDK that trusts this localhub."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)

    def make(kind: type[Any]) -> Any:
        made = kind.from_connection_string(login(hub.state))
        made.protocol.config.connection.verify = str(hub.state.ca_certificate)
        return made

    return make


@pytest.fixture
def registry(client: Client) -> IoTHubRegistryManager:
    return client(IoTHubRegistryManager)


@pytest.fixture
def deployments(client: Client) -> IoTHubConfigurationManager:
    return client(IoTHubConfigurationManager)
