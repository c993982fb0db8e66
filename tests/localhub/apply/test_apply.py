"""A manifest applied to what runs: the agent makes it so, and what is the same goes on undisturbed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from localhub.agent import proc
from localhub.control.client import ControlError
from localhub.manifest.problem import ManifestError
from localhub.testing import Hub, running, write_manifest

pytestmark = pytest.mark.system

COUNTER = """
import asyncio, os, signal
from azure.iot.device.aio import IoTHubModuleClient

async def main():
    client = IoTHubModuleClient.create_from_edge_environment(connection_retry_interval=1)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    async def message(received):
        await client.send_message_to_output(received, "out")

    client.on_message_received = message
    await client.connect()
    await client.patch_twin_reported_properties({"colour": os.environ.get("COLOUR"), "pid": os.getpid()})
    await stop.wait()
    await client.shutdown()

asyncio.run(main())
"""
COMMAND = [sys.executable, "counter.py"]
Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("apply")
    (folder / "counter.py").write_text(COUNTER)
    return write_manifest(
        folder,
        modules={"still": COMMAND, "red": COMMAND},
        routes={"up": "FROM /messages/modules/still/* INTO $upstream"},
    )


@pytest.fixture(scope="module")
def shared(manifest: Path) -> Iterator[Hub]:
    with running(manifest) as hub:
        yield hub


@pytest.fixture
def hub(shared: Hub, manifest: Path) -> Iterator[Hub]:
    """It, with the first manifest in force and freed of faults afterwards."""
    yield shared
    shared.recover()
    shared.apply(manifest)


@pytest.fixture
def changed(manifest: Path, tmp_path: Path) -> Callable[[Change], Path]:
    """The manifest after a change of its modulesContent."""

    def change(how: Change) -> Path:
        document = json.loads(manifest.read_text())
        how(document["modulesContent"])
        path = tmp_path / "deployment.json"
        path.write_text(json.dumps(document))
        return path

    return change


def modules(content: dict[str, Any]) -> dict[str, Any]:
    entries: dict[str, Any] = content["$edgeAgent"]["properties.desired"]["modules"]
    return entries


def test_modules_come_change_and_go(hub: Hub, changed: Callable[[Change], Path]) -> None:
    def how(content: dict[str, Any]) -> None:
        entries = modules(content)
        entries["blue"] = entries["still"] | {"env": {"COLOUR": {"value": "blue"}}}
        entries["red"]["env"] = {"COLOUR": {"value": "red"}}
        routes = content["$edgeHub"]["properties.desired"]["routes"]
        routes["up"]["route"] = "FROM /messages/modules/blue/* INTO $upstream"

    before = {name: hub.module(name)["pid"] for name in ("still", "red")}
    hub.apply(changed(how))
    hub.wait_reported("blue", {"colour": "blue"})
    hub.wait_reported("red", {"colour": "red"})
    assert hub.module("still")["pid"] == before["still"]
    assert hub.module("red")["pid"] != before["red"]
    arrived = len(hub.arrivals())
    hub.send("blue/in", "by the new route")
    hub.until(lambda: [message.text for message in hub.arrivals()[arrived:]] == ["by the new route"], 60, "the message")

    gone = hub.module("blue")["pid"]
    hub.apply(changed(lambda content: modules(content).pop("red")))
    assert proc.started(gone) is None
    with pytest.raises(KeyError):
        hub.module("red")
    hub.until(lambda: set(hub.reported("$edgeAgent")["modules"]) == {"still"}, 60, "the report")
    assert hub.module("still")["pid"] == before["still"]
    assert not hub.connected("blue")


def test_status_stopped_stops_and_running_starts(hub: Hub) -> None:
    for status, state in (("stopped", "stopped"), ("running", "running")):
        version = hub.set_desired("$edgeAgent", {"modules": {"red": {"status": status}}})
        hub.wait_reported("$edgeAgent", {"lastDesiredVersion": version})
        assert hub.module("red")["state"] == state


def test_what_the_agent_refuses_changes_nothing(hub: Hub, changed: Callable[[Change], Path]) -> None:
    before = {name: hub.module(name)["pid"] for name in ("still", "red")}
    version = hub.set_desired("$edgeAgent", {"modules": {"red": {"restartPolicy": "sometimes"}}})
    said = hub.wait_reported("$edgeAgent", {"lastDesiredVersion": version})["lastDesiredStatus"]
    assert said["code"] == 400
    assert "sometimes" in said["description"]
    assert {name: hub.module(name)["pid"] for name in before} == before
    with pytest.raises(ManifestError, match="restartPolicy"):
        hub.apply(changed(lambda content: modules(content)["red"].update(restartPolicy="sometimes")))

    version = hub.set_desired(
        "$edgeAgent", {"modules": {"red": {"restartPolicy": "always", "settings": {"image": "elsewhere/thing:1"}}}}
    )
    hub.wait_reported("$edgeAgent", {"lastDesiredVersion": version, "lastDesiredStatus": {"code": 200}})
    assert hub.module("red")["pid"] != before["red"]  # localhub.toml has a command for `red`, whatever its image

    version = hub.set_desired("$edgeAgent", {"modules": {"new": {"type": "docker", "status": "running"}}})
    assert hub.wait_reported("$edgeAgent", {"lastDesiredVersion": version})["lastDesiredStatus"]["code"] == 400
    hub.set_desired("$edgeAgent", {"modules": {"new": None}})


def test_while_the_link_is_down_the_old_stays(hub: Hub, changed: Callable[[Change], Path]) -> None:
    hub.link("down")
    hub.apply(changed(lambda content: modules(content).pop("red")))
    with pytest.raises(ControlError):
        hub.call("ghost", "any")  # the hub answers, and has had the time
    assert hub.module("red")["state"] == "running"
    hub.link("up")
    hub.until(lambda: set(hub.reported("$edgeAgent")["modules"]) == {"still"}, 60, "the deployment")


@pytest.mark.parametrize("part", ["agent", "cloud", "hub"])
def test_it_outlives_a_kill(hub: Hub, changed: Callable[[Change], Path], part: str) -> None:
    hub.apply(changed(lambda content: modules(content).pop("red")))
    hub.restart(part, kill=True)
    hub.wait_connected("still")
    hub.set_desired("$edgeAgent", {"modules": {"still": {"env": {"COLOUR": {"value": part}}}}})
    hub.wait_reported("still", {"colour": part}, within_s=60)
    assert set(hub.desired("$edgeAgent")["modules"]) == {"still"}
    assert set(hub.reported("$edgeAgent")["modules"]) == {"still"}


def test_the_command_line(hub: Hub, changed: Callable[[Change], Path], manifest: Path) -> None:
    def apply(path: Path) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "localhub", "apply", str(path), "--state", str(hub.state.root)]
        return subprocess.run(words, capture_output=True, text=True, check=False)

    done = apply(changed(lambda content: modules(content)["red"].update(env={"COLOUR": {"value": "9"}})))
    assert (done.returncode, done.stdout) == (0, "changed: gw1/$edgeAgent\n")
    hub.wait_reported("red", {"colour": "9"})
    done = apply(changed(lambda content: modules(content)["red"].pop("settings")))
    assert done.returncode == 3
    assert "deployment.json:" in done.stderr
    assert apply(manifest.with_name("none.json")).returncode == 2
