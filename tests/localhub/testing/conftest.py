"""One localhub with one module, an echo, for the tests of localhub.testing itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from localhub.testing import Hub, running, write_manifest

ECHO = """
import asyncio, signal
from azure.iot.device import MethodResponse
from azure.iot.device.aio import IoTHubModuleClient

async def main():
    client = IoTHubModuleClient.create_from_edge_environment(connection_retry_interval=1)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    async def message(received):
        await client.send_message_to_output(received, "out")

    async def method(request):
        await client.send_method_response(MethodResponse(request.request_id, 201, request.payload))

    async def desired(patch):
        version = patch.pop("$version")  # a name that may not be reported
        await client.patch_twin_reported_properties({"seen": patch, "version": version})

    client.on_message_received = message
    client.on_method_request_received = method
    client.on_twin_desired_properties_patch_received = desired
    await client.connect()
    print("echo is ready", flush=True)
    await stop.wait()
    await client.shutdown()

asyncio.run(main())
"""


@pytest.fixture(scope="package")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """The localhub that these tests share."""
    folder = tmp_path_factory.mktemp("echo")
    (folder / "echo.py").write_text(ECHO)
    manifest = write_manifest(
        folder,
        modules={"echo": [sys.executable, "echo.py"]},
        routes={"up": "FROM /messages/modules/echo/* INTO $upstream"},
    )
    with running(manifest) as hub:
        yield hub


@pytest.fixture
def hub(shared: Hub) -> Iterator[Hub]:
    """It, freed of faults afterwards."""
    shared.wait_connected()
    yield shared
    shared.recover()
