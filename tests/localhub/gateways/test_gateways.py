"""Several gateways with one cloud: each has its own hub, agent, twins, methods, link and arrivals."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localhub.control.client import Client, ControlError
from localhub.state import State
from localhub.testing import Hub, running, write_manifest

pytestmark = pytest.mark.system

ECHO = """
import asyncio, signal
from azure.iot.device import Message, MethodResponse
from azure.iot.device.aio import IoTHubModuleClient

async def main():
    client = IoTHubModuleClient.create_from_edge_environment(connection_retry_interval=1)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    async def method(request):
        await client.send_message_to_output(Message(str(request.payload)), "out")
        await client.send_method_response(MethodResponse(request.request_id, 200, request.payload))

    client.on_method_request_received = method
    await client.connect()
    await stop.wait()
    await client.shutdown()

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gateways")
    (folder / "echo.py").write_text(ECHO)
    routes = {"up": "FROM /messages/* INTO $upstream"}
    return write_manifest(folder, {"echo": [sys.executable, "echo.py"]}, routes, {"echo": {"rate": 1}})


@pytest.fixture(scope="module")
def first(manifest: Path) -> Iterator[Hub]:
    with running(manifest) as hub:
        yield hub


@pytest.fixture(scope="module")
def second(first: Hub, manifest: Path) -> Hub:
    hub = first.add_gateway("gw2", manifest)
    hub.wait_connected("echo")
    return hub


def run(hub: Hub, *words: str) -> Any:
    root = hub.state.root
    command = [sys.executable, "-m", "localhub", *words, "--state", str(root), "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_each_has_its_own_address_twins_and_methods(first: Hub, second: Hub) -> None:
    assert first.state.address != second.state.address
    second.set_desired("echo", {"rate": 2})
    second.until(lambda: second.desired("echo").get("rate") == 2, 60, "the patch")
    assert first.desired("echo")["rate"] == 1
    assert run(first, "method", "echo", "ping", '"one"') == {"status": 200, "payload": "one"}
    assert run(first, "method", "echo", "ping", '"two"', "--gateway", "gw2") == {"status": 200, "payload": "two"}
    second.until(lambda: len(second.arrivals()) >= 1, 60, "what the echo sent")
    assert {(message.source, message.body) for message in second.arrivals()} == {("gw2/echo", b"two")}
    assert {message.source for message in first.arrivals()} == {"gw1/echo", "gw2/echo"}
    assert run(first, "cloud", "count", "--gateway", "gw2")["arrivals"] == len(second.arrivals())
    assert run(first, "cloud", "tail", "-n", "1", "--gateway", "gw2")["device"] == "gw2"


def test_a_cut_link_or_a_dead_hub_is_one_gateways_alone(first: Hub, second: Hub) -> None:
    second.link("down")
    # Both are true, by whether the cloud has noticed before it is asked.
    with pytest.raises(ControlError, match=r"the gateway of gw2/echo is not connected|the gateway went away"):
        Client(first.state.cloud_socket).post("/method/gw2/echo", {"name": "ping"})
    assert run(first, "method", "echo", "ping", "1") == {"status": 200, "payload": 1}
    second.link("up")
    pid = {process["name"]: process["pid"] for process in listed(first)["gw1"]["processes"]}["hub"]
    second.restart("hub", kill=True)
    second.wait_connected("echo")
    assert {process["name"]: process["pid"] for process in listed(first)["gw1"]["processes"]}["hub"] == pid
    assert [process["name"] for process in listed(first)["gw2"]["processes"]] == ["hub", "agent"]
    second.until(lambda: listed(first)["gw2"]["link"] == "up", 60, "the link")


def test_one_without_a_manifest_runs_what_is_deployed_to_it(first: Hub, second: Hub, manifest: Path) -> None:
    third = first.add_gateway("gw3")
    said = third.wait_reported("$edgeAgent", {"lastDesiredVersion": 1})
    assert said["lastDesiredStatus"]["code"] == 417
    with pytest.raises(ControlError, match="gw3 runs already"):
        first.add_gateway("gw3")
    third.apply(manifest)
    third.wait_connected("echo")
    assert third.reported("$edgeAgent")["lastDesiredStatus"]["code"] == 200
    third.link("down")  # it is gone for the cloud; what runs, and how it is asked, is its own
    assert third.call("echo", "ping", 3).payload == 3
    Client(first.state.supervisor_socket, timeout_s=30).post("/gateways/gw3/remove")
    assert set(listed(first)) == {"gw1", "gw2"}
    assert not third.state.root.exists()
    assert second.connected("echo")


def test_what_cannot_be_added_is_refused_in_words(first: Hub, tmp_path: Path) -> None:
    wrong = tmp_path / "deployment.json"
    wrong.write_text("{}")
    with pytest.raises(ControlError, match="modulesContent is missing"):
        first.add_gateway("gw9", wrong)
    with pytest.raises(ControlError, match="no name of a gateway"):
        first.add_gateway("a/b")
    with pytest.raises(ControlError, match="no gateway nobody was added"):
        Client(first.state.supervisor_socket).post("/gateways/nobody/remove")
    assert "gw9" not in listed(first)


@pytest.mark.soak
def test_the_next_run_begins_with_them_again(manifest: Path, tmp_path: Path) -> None:
    root = tmp_path / "s"
    with running(manifest, state=root) as hub:
        address = hub.add_gateway("gw2", manifest).state.address
    with running(manifest, state=root) as hub:
        hub.until(lambda: listed(hub).get("gw2", {}).get("link") == "up", 60, "the second gateway")
        again = Hub(State.load(hub.state.gateway_folder("gw2")))
        hub.until(again.state.agent_socket.exists, 60, "the second gateway's agent, which comes after its link")
        again.wait_connected("echo")
        assert again.state.address == address
        run(hub, "stop", "--gateway", "gw2")
        assert list(listed(hub)) == ["gw1"]
        again.close()


def listed(hub: Hub) -> dict[str, Any]:
    return {each["gateway"]: each for each in Client(hub.state.supervisor_socket).get("/gateways")}
