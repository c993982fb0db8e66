"""The line in containers: the very images, the same manifest, a real engine. Skipped where there is none."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from devices.line import MANIFEST, ROOT, Line
from localhub.agent.creation import OWNER_LABEL, Site
from localhub.agent.engine import Engine

LAYER = ROOT / "deployment.camera2.template.json"
LAYERED = {"camera", "inference"}  # what the layer's routes lead between
LEAST = {"vibration", "status"}  # with fewer no alert reaches the page


@pytest.fixture(scope="module")
def line(images: dict[str, str], registry: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """The default line, without those modules that were not built, and with a second camera where cameras were."""
    built = set(images)
    if not built >= LEAST:
        missing = ", ".join(sorted(LEAST - built))
        pytest.skip(f"no images of {missing} from this tree here: docker/engine registry, then make build")
    folder = tmp_path_factory.mktemp("containers")
    layers = []
    if built >= LAYERED:
        layer = folder / "layer.template.json"  # /dev/video0 is not on every machine; /dev/null is, and has no picture
        layer.write_text(LAYER.read_text().replace('"PathOnHost": "/dev/video0"', '"PathOnHost": "/dev/null"'))
        layers = [layer]
    running = Line(
        state=folder / "state",
        address="127.31.1.1",
        manifest=_manifest(folder, built),
        config=_config(folder, built),
        layers=layers,
        log=folder / "said",
        environment={"CONTAINER_REGISTRY_SERVER": registry, "MODULES_PATH": str(ROOT / "modules")},
        containers=True,
    )
    try:
        with running:
            running.wait_ready()
            yield running
    finally:
        Engine().remove_volumes(Site.of(running.state))


def _manifest(folder: Path, built: set[str]) -> Path:
    document = json.loads(MANIFEST.read_text())
    content = document["modulesContent"]
    modules = content["$edgeAgent"]["properties.desired"]["modules"]
    routes = content["$edgeHub"]["properties.desired"]["routes"]
    for name in set(modules) - built:
        del modules[name], content[name]
        for route in [route for route, facts in routes.items() if f"/modules/{name}/" in facts["route"]]:
            del routes[route]
    file = folder / "deployment.template.json"
    file.write_text(json.dumps(document))
    return file


def _config(folder: Path, built: set[str]) -> Path:
    parts = re.split(r"(?m)^(?=\[)", (ROOT / "localhub.toml").read_text())
    kept = [part for part in parts if not (found := re.match(r"\[modules\.(\w+)\]", part)) or found[1] in built]
    text = re.sub(r"(?m)^(\[devices\.\w+\])$", rf'\1\nfolder = "{ROOT}"', "".join(kept))
    (folder / "localhub.toml").write_text(text)
    return folder / "localhub.toml"


def containers(engine: Engine, line: Line) -> dict[str, dict[str, Any]]:
    found = engine.api.containers(all=True, filters={"label": f"{OWNER_LABEL}={line.state.resolve()}"})
    return {each["Labels"]["localhub.module"]: engine.api.inspect_container(each["Id"]) for each in found}


def _kind(arrival: dict[str, Any]) -> str:
    return str(arrival["properties"].get("kind"))


def module(line: Line, name: str) -> dict[str, Any]:
    """What the agent says of a module that runs; raises KeyError while it does not."""
    running = {each["name"]: each for each in line.control("agent", "/status")["modules"] if each["pid"]}
    found: dict[str, Any] = running[name]
    return found


def test_an_alert_reaches_the_page_and_the_cloud(line: Line, images: dict[str, str]) -> None:
    wanted = {"press3"} | ({"camera"} if images.keys() >= {"camera", "inference"} else set())
    line.wait(
        "alerts on the page",
        lambda: wanted <= {each["source"].split("/")[0] for each in line.api("/api/v1/alerts", limit=100)["alerts"]},
    )
    if "cache" in images:
        line.wait("an alert at the cloud", lambda: [each for each in line.arrivals() if _kind(each) == "alert"])
    assert "<title>" in httpx.get(f"http://127.0.0.1:{line.page_port}/").text


def test_what_the_engine_says_of_each_container(line: Line, engine: Engine) -> None:
    found = containers(engine, line)
    assert set(found) == set(line.manifest_modules())
    for name, facts in found.items():
        config, host = facts["Config"], facts["HostConfig"]
        assert config["User"] == "13000", name
        assert config["Healthcheck"]["Test"][0] == "CMD", name
        assert host["ReadonlyRootfs"], name
        assert host["Memory"] > 0, name
        assert host["PidsLimit"] > 0, name
        assert not host["Privileged"], name
        assert not host["CapAdd"], name
        assert host["CapDrop"] == ["ALL"], name
        assert host["LogConfig"]["Config"]["max-size"] == "10m", name
        process = Path(f"/proc/{facts['State']['Pid']}/status").read_text()
        assert re.search(r"^CapEff:\s*0+$", process, re.MULTILINE), name
        assert re.search(r"^NoNewPrivs:\s*1$", process, re.MULTILINE), name


def test_the_health_check_of_the_image_answers(line: Line, engine: Engine) -> None:
    (facts, *_) = containers(engine, line).values()
    command = facts["Config"]["Healthcheck"]["Test"][1:]
    started = engine.api.exec_create(facts["Id"], command)["Id"]
    engine.api.exec_start(started)
    assert engine.api.exec_inspect(started)["ExitCode"] == 0
    lost = engine.api.exec_create(facts["Id"], command, environment={"MILLWATCH_VIEW_PORT": "9"})["Id"]
    engine.api.exec_start(lost)
    assert engine.api.exec_inspect(lost)["ExitCode"] == 1


def test_page_and_hub_are_on_no_public_interface(line: Line, engine: Engine) -> None:
    ports = {
        (binding["HostIp"], binding["HostPort"])
        for facts in containers(engine, line).values()
        for bindings in facts["NetworkSettings"]["Ports"].values()
        for binding in bindings or ()
    }
    assert ports == {("127.0.0.1", str(line.page_port))}
    # An engine on its very first start does not name the gateway; it is the subnet's first address.
    subnet = engine.api.inspect_network("bridge")["IPAM"]["Config"][0]["Subnet"]
    gateway = str(ipaddress.ip_network(subnet, strict=False)[1])
    for port in (line.page_port, 8883):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((gateway, port), 60)


def test_cpu_and_memory_are_in_edge_agents_metrics(line: Line) -> None:
    port = line.control("agent", "/status")["metrics_port"]
    page = httpx.get(f"http://{line.address}:{port}/metrics").text
    used = dict(re.findall(r'^edgeAgent_used_memory_bytes\{.*module_name="(\w+)"\} (\S+)', page, re.MULTILINE))
    assert set(used) >= set(line.manifest_modules())
    assert all(float(each) > 10e6 for each in used.values())
    assert "edgeAgent_used_cpu_percent{" in page


def test_a_killed_container_starts_again_with_its_data(line: Line, engine: Engine) -> None:
    before = module(line, "status")
    identity = containers(engine, line)["status"]["Id"]
    kept = line.api("/api/v1/alerts", limit=100)["alerts"][-1]["id"]
    os.kill(before["pid"], signal.SIGKILL)
    line.wait("a new process", lambda: module(line, "status")["pid"] != before["pid"])
    assert module(line, "status")["restarts"] == before["restarts"] + 1
    assert containers(engine, line)["status"]["Id"] == identity, "its own file system is lost"
    known = line.wait("the page again", lambda: line.api("/api/v1/alerts", limit=200)["alerts"])
    assert kept in {each["id"] for each in known}
    seen = known[0]["id"]
    line.wait("new alerts", lambda: line.api("/api/v1/alerts", limit=1)["alerts"][0]["id"] != seen)


def test_restart_and_logs(line: Line) -> None:
    before = module(line, "vibration")
    assert line.command("restart", "vibration").returncode == 0
    after = module(line, "vibration")
    assert (after["restarts"], after["pid"] != before["pid"]) == (before["restarts"] + 1, True)
    line.wait("its log", lambda: line.command("logs", "vibration").stdout.count(" starts; ") == 2)
    assert " stops" in line.command("logs", "vibration").stdout


def test_a_layer_has_added_a_camera(line: Line, images: dict[str, str], engine: Engine) -> None:
    if not images.keys() >= LAYERED:
        pytest.skip("the camera's image was not built")
    line.wait("its heartbeat", lambda: "camera2" in {each["name"] for each in line.api("/api/v1/modules")["modules"]})
    host = containers(engine, line)["camera2"]["HostConfig"]
    assert [device["PathInContainer"] for device in host["Devices"]] == ["/dev/video0"]
    assert host["GroupAdd"] == ["video"]


def test_a_killed_agent_leaves_one_container_of_each(line: Line, engine: Engine) -> None:
    before = {name: facts["Id"] for name, facts in containers(engine, line).items()}
    assert line.command("restart", "agent", "--kill").returncode == 0
    line.wait("all modules again", lambda: len(line.control("hub", "/status")["clients"]) >= len(before))
    after = {name: facts["Id"] for name, facts in containers(engine, line).items()}
    assert after.keys() == before.keys()
    assert not set(after.values()) & set(before.values())


def test_the_end_leaves_no_container_and_no_network(line: Line, engine: Engine) -> None:
    assert line.stop(40) == 0
    assert containers(engine, line) == {}
    assert engine.api.networks(filters={"label": f"{OWNER_LABEL}={line.state.resolve()}"}) == []
    names = subprocess.run(["ip", "-brief", "address"], capture_output=True, text=True, check=False).stdout
    assert "127.31.1.1" not in names
