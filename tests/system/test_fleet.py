"""A fleet on one machine: one full gateway, and others whose only module is a small echo, driven as an operator would.

The short form has 3 of those, the soak 19. Both do the same, in this order: every test goes on from the one before it.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from devices.line import ROOT, Line
from fleet.__main__ import main
from fleet.exits import Exit
from localhub.agent import proc
from localhub.control.client import Client
from localhub.state import State
from localhub.testing import Hub, write_manifest

ECHO = Path(__file__).with_name("fleet_echo.py")
REFUSES = "gw2"


class Said(NamedTuple):
    stdout: str
    stderr: str


@dataclass
class Fleet:
    line: Line
    folder: Path
    first: Hub
    echoes: dict[str, Hub]

    @property
    def login(self) -> str:
        return f"@{self.folder / 'hub.txt'}"

    def run(self, *words: str, code: int = Exit.OK) -> Said:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            found = main([*words, "--login", self.login])
        gc.collect()  # the service SDK's sessions, which close their connections when they go
        assert found == code, f"{words}: {found}\n{out.getvalue()}\n{err.getvalue()}"
        return Said(out.getvalue(), err.getvalue())

    def status(self, *words: str) -> dict[str, dict[str, Any]]:
        lines = [json.loads(line) for line in self.run("status", "--format", "json", *words).stdout.splitlines()]
        assert lines[-1]["totals"]["gateways"] == len(lines) - 1
        return {one["device"]: one for one in lines[:-1]}

    def until(self, what: str, true: Any, within_s: float = 180.0) -> None:
        end = time.monotonic() + within_s
        while not true():
            assert time.monotonic() < end, f"no {what} within {within_s:g} s"
            time.sleep(0.5)

    def manifest(self, version: str, modules: Sequence[str] = ("echo",)) -> Path:
        folder = self.folder / f"{version}-{len(modules)}"
        folder.mkdir(exist_ok=True)
        routes = {"up": "FROM /messages/* INTO $upstream"}
        path = write_manifest(folder, {name: [sys.executable, str(ECHO)] for name in modules}, routes)
        document = json.loads(path.read_text())
        for name, entry in document["modulesContent"]["$edgeAgent"]["properties.desired"]["modules"].items():
            entry |= {"version": version, "env": {"VERSION": {"value": version}}}
            assert name in modules
        path.write_text(json.dumps(document))
        return path

    def layer(self, name: str, content: dict[str, Any]) -> Path:
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps({"modulesContent": content}))
        return path


@pytest.fixture(
    scope="module", params=[pytest.param(3, id="short"), pytest.param(19, id="soak", marks=pytest.mark.soak)]
)
def fleet(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    command = json.dumps([sys.executable, str(ECHO)])
    knows = folder / "knows.toml"
    knows.write_text(f"[modules.echo]\ncommand = {command}\n[modules.extra]\ncommand = {command}\n")
    knows_not = folder / "knows_not.toml"  # has no program for a module `extra`: its agent refuses a content with one
    knows_not.write_text(f"[modules.echo]\ncommand = {command}\n")
    # The soak has an address of its own, so that both may run at once.
    with Line(state=folder / "state", address=f"127.33.{request.param}.1", log=folder / "said") as line:
        line.wait_ready(240)
        first = Hub(State.load(line.state))
        (folder / "hub.txt").write_text(line.command("cloud", "login", "--fleet").stdout)
        names = [f"gw{number}" for number in range(2, 2 + request.param)]
        echoes = {name: first.add_gateway(name, config=knows_not if name == REFUSES else knows) for name in names}
        yield Fleet(line, folder, first, echoes)
        first.close()
        line.stop(120)


def test_modules_are_given_to_many_by_their_tag(fleet: Fleet) -> None:
    for name in fleet.echoes:
        Tags(fleet).set(name, kind="echo", ring="canary" if name == "gw4" else "wide")
    before = fleet.status("--where", "tags.kind = 'echo'")
    assert {one["deployment"] for one in before.values()} == {"none"}
    one = str(fleet.manifest("1"))
    planned = json.loads(fleet.run("set-modules", "--where", "tags.kind = 'echo'", one, "--dry-run").stdout)
    assert len(planned["requests"]) == len(fleet.echoes)
    assert not any(fleet.status("--where", "tags.kind = 'echo'")[name]["versions"] for name in fleet.echoes)
    fleet.run("set-modules", "--where", "tags.kind = 'echo'", one, "--at-once", "4")
    now = fleet.status()
    assert set(now) == {"gw1", *fleet.echoes}
    assert {name: now[name]["versions"] for name in fleet.echoes} == {name: {"echo": "1"} for name in fleet.echoes}
    assert all(one["connected"] and one["deployment"] == "current" for one in now.values())
    assert {"camera", "vibration", "inference", "cache", "status"} <= set(now["gw1"]["versions"])


def test_a_method_is_called_on_many(fleet: Fleet) -> None:
    done = fleet.run("method", "echo", "ping", '{"n": 7}', "--where", "tags.kind = 'echo'", "--format", "json")
    answers = {one["device"]: one["result"] for one in json.loads(done.stdout)}
    assert answers == {name: {"status": 200, "payload": {"n": 7}} for name in fleet.echoes}
    away = fleet.run("method", "echo", "ping", "-d", "gw1", "-d", "gw3", code=Exit.SOME)
    assert "fleet: gw1: " in away.stderr
    assert "gw3 200 " in away.stdout


def test_a_rolling_update_goes_on_past_one_that_refuses_and_loses_nothing(fleet: Fleet) -> None:
    alive = {unit["name"]: unit["pid"] for unit in units(fleet.first)}
    cut, at_once = fleet.echoes["gw3"], str(max(2, len(fleet.echoes) // 4))
    two = str(fleet.manifest("2", ("echo", "extra")))
    cut.link("down")
    time.sleep(1)  # what is counted meanwhile is kept, and arrives after
    cut.link("up")
    cut.until(lambda: connected(fleet, "gw3"), 60, "the link")
    done = fleet.run("set-modules", "--where", "tags.kind = 'echo'", two, "--at-once", at_once, "--format", "json",
                     code=Exit.SOME)  # fmt: skip
    outcomes = {one["device"]: one for one in json.loads(done.stdout)}
    assert [name for name, one in outcomes.items() if "failure" in one] == [REFUSES]
    assert "extra" in outcomes[REFUSES]["failure"]
    now = fleet.status("--where", "tags.kind = 'echo'")
    both = {"echo": "2", "extra": "2"}
    assert {name: now[name]["versions"] for name in fleet.echoes} == {
        name: {"echo": "1"} if name == REFUSES else both for name in fleet.echoes
    }
    assert now[REFUSES]["deployment"] == "refused"
    assert {unit["name"]: unit["pid"] for unit in units(fleet.first)} == alive
    fleet.until(
        "arrival of all that was sent by version 1", lambda: not_arrived(fleet, ended=len(fleet.echoes) - 1) == 0
    )


def test_a_layered_deployment_reaches_its_targets_alone(fleet: Fleet) -> None:
    fleet.run("deploy", "put", "base", str(fleet.manifest("3")), "--where", "tags.kind = 'echo'", "--priority", "1")
    fleet.until("version 3", lambda: versions(fleet) == {name: {"echo": "3"} for name in fleet.echoes})
    image = {"type": "docker", "status": "running", "restartPolicy": "always", "version": "3",
             "env": {"VERSION": {"value": "3"}}, "settings": {"image": "localhub.test/echo:3"}}  # fmt: skip
    layer = fleet.layer("extra", {"$edgeAgent": {"properties.desired.modules.extra": image}})
    fleet.run("deploy", "put", "extra", str(layer), "--layered", "--where", "deviceId IN ['gw3']", "--priority", "2")
    wanted = {name: {"echo": "3"} | ({"extra": "3"} if name == "gw3" else {}) for name in fleet.echoes}
    fleet.until("the layer at its target", lambda: versions(fleet) == wanted)
    listed = {one["id"]: one for one in json.loads(fleet.run("deploy", "list", "--format", "json").stdout)}
    results = listed["extra"]["systemMetrics"]["results"]
    assert (results["targetedCount"], results["appliedCount"]) == (1, 1)
    assert fleet.status("--where", "deviceId = 'gw3'")["gw3"]["deployments"] == ["base", "extra"]


def test_a_model_is_tried_on_the_gateways_with_a_tag(fleet: Fleet) -> None:
    layer = fleet.layer("canary", {"echo": {"properties.desired.model": "bearing-2"}})
    fleet.run("deploy", "put", "canary", str(layer), "--layered", "--where", "tags.ring = 'canary'", "--priority", "3")
    fleet.echoes["gw4"].wait_reported("echo", {"model": "bearing-2"}, within_s=60)
    others = [name for name in fleet.echoes if name != "gw4"]
    assert not any(fleet.echoes[name].reported("echo").get("model") for name in others)
    Tags(fleet).set("gw3", ring="canary")  # the ring grows
    fleet.echoes["gw3"].wait_reported("echo", {"model": "bearing-2"}, within_s=60)
    fleet.run("deploy", "delete", "canary")
    fleet.until("the end of the trial", lambda: not fleet.echoes["gw4"].reported("echo").get("model"))


def test_the_full_gateway_tells_how_its_line_does(fleet: Fleet) -> None:
    def alerted() -> bool:
        return any(fleet.first.reported("status").get("gateway", {}).get("alerts", {}).values())

    fleet.until("alert", alerted)
    one = fleet.status("--where", "deviceId = 'gw1'")["gw1"]
    assert one["line"]
    assert one["link"] == "up"
    assert one["alerts"]
    command = [sys.executable, "-m", "fleet", "status", "--only-trouble", "--login", fleet.login]
    table = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    assert "gw1" in table
    assert "gw3" not in table
    alerts = [json.loads(line) for line in fleet.run("alerts", "-n", "5", "--format", "json").stdout.splitlines()]
    assert {alert["properties"]["kind"] for alert in alerts} == {"alert"}


def test_nothing_was_lost_in_all_of_it(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    before = {unit["name"]: unit["restarts"] for unit in units(fleet.first)}
    assert not any(before.values()), before
    with capsys.disabled():
        sys.stdout.write(f"\n{memory(fleet)}\n")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(halt, fleet.echoes.values()))
    fleet.until("every count", lambda: not_arrived(fleet, ended=len(fleet.echoes)) == 0)


@dataclass
class Tags:
    fleet: Fleet

    def set(self, gateway: str, **tags: str) -> None:
        self.fleet.run("twin", "set", gateway, *(word for tag in tags.items() for word in ("--tag", "=".join(tag))))


def halt(hub: Hub) -> None:
    for unit in units(hub):
        Client(hub.state.agent_socket, timeout_s=300).post(f"/module/{unit['name']}/stop")


def units(hub: Hub) -> list[dict[str, Any]]:
    return list(Client(hub.state.agent_socket, timeout_s=30).get("/status")["modules"])


def connected(fleet: Fleet, name: str) -> bool:
    return bool(fleet.status("--where", f"deviceId = '{name}'")[name]["connected"])


def versions(fleet: Fleet) -> dict[str, dict[str, str]]:
    found = fleet.status("--where", "tags.kind = 'echo'")
    return {name: found[name]["versions"] for name in fleet.echoes if not found[name]["failing"]}


def not_arrived(fleet: Fleet, *, ended: int) -> int:
    """How many counts are missing, of all starts of an echo; -1 until so many have said their last.

    One that was killed, as a slow machine may have it, has not: of it the last that came is taken for the last.
    """
    counts: dict[str, set[int]] = defaultdict(set)
    sent: dict[str, int] = {}
    for hub in fleet.echoes.values():
        for message in hub.arrivals():
            boot, body = message.properties["boot"], message.json
            if "sent" in body:
                sent[boot] = body["sent"]
            else:
                counts[boot].add(body["count"])
    last = {boot: sent.get(boot, max(found)) for boot, found in counts.items()}
    missing = sum(len(set(range(1, number + 1)) - counts[boot]) for boot, number in last.items())
    return missing if len(sent) >= ended else -1


def memory(fleet: Fleet) -> str:
    """What each gateway costs: hub, agent and module, as PSS."""
    listed = json.loads(fleet.line.command("gateway", "list", "--format", "json").stdout)
    lines = []
    for one in listed:
        parts = {each["name"]: proc.usage(each["pid"], pss=True).pss or 0 for each in one["processes"]}
        lines.append(f"{one['gateway']}: " + ", ".join(f"{name} {size / 1e6:.0f} MB" for name, size in parts.items()))
    return "PSS with children:\n" + "\n".join(lines)
