"""The edge client over TLS against localhub's hub, with processes that are really killed and tokens really renewed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[4]
PROBE = Path(__file__).with_name("probe.py")
COUNT = 20


class Rig:
    """A localhub with the two probes. `story` is what they wrote down, in order."""

    def __init__(self, folder: Path, address: str, **settings: object) -> None:
        self.folder = folder
        self._story = folder / "story"
        manifest = folder / "deployment.json"
        manifest.write_text(json.dumps(_manifest()))
        variables = {f"MILLWATCH_{name.upper()}": str(value) for name, value in settings.items()}
        env = {
            "MILLWATCH_STATE": "${MODULE_STATE}",
            "MILLWATCH_VIEW_PORT": "0",
            "PYTHONPATH": str(ROOT),
            "STORY": str(self._story),
            "MILLWATCH_COUNT": str(COUNT),
        } | variables
        lines = ", ".join(f"{name} = {json.dumps(value)}" for name, value in env.items())
        (folder / "localhub.toml").write_text(
            "\n".join(
                f'[modules.{name}]\ncommand = ["${{PYTHON}}", {json.dumps(str(PROBE))}, "{name}"]\nenv = {{ {lines} }}'
                for name in ("sender", "receiver")
            )
        )
        self._said = (folder / "said").open("wb")
        self._process = subprocess.Popen(
            [
                sys.executable, "-m", "localhub", "run", str(manifest),
                "--state", str(folder / "state"), "--address", address, "--plain",
            ],
            cwd=ROOT,
            stdout=self._said,
            stderr=subprocess.STDOUT,
        )  # fmt: skip

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(60)
        self._said.close()

    @property
    def story(self) -> list[str]:
        return self._story.read_text().splitlines() if self._story.exists() else []

    def wait(self, what: str, until: Callable[[], object], seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        while not until():
            if time.monotonic() > end or self._process.poll() is not None:
                said = (self.folder / "said").read_text(errors="replace")[-3000:]
                raise AssertionError(f"no {what}; story {self.story}; localhub said:\n{said}")
            time.sleep(0.05)

    def command(self, *words: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "localhub", *words, "--state", str(self.folder / "state"), "--format", "json"],
            cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    def pid(self, name: str) -> int:
        modules = self.command("status")["agent"]["modules"]
        return next(int(each["pid"]) for each in modules if each["name"] == name)

    def ended(self) -> list[int]:
        return [int(line.split()[1]) for line in self.story if line.startswith("end")]

    def begun(self) -> list[int]:
        return [int(line.split()[1]) for line in self.story if line.startswith("begin")]


def _manifest() -> dict[str, Any]:
    def module(order: int) -> dict[str, Any]:
        return {
            "version": "1.0",
            "type": "docker",
            "status": "running",
            "restartPolicy": "always",
            "startupOrder": order,
            "settings": {"image": "registry/probe:1", "createOptions": "{}"},
        }

    system = {
        name: {"type": "docker", "settings": {"image": f"registry/{name}:1", "createOptions": "{}"}}
        for name in ("edgeAgent", "edgeHub")
    }
    system["edgeHub"] |= {"status": "running", "restartPolicy": "always"}
    return {
        "modulesContent": {
            "$edgeAgent": {
                "properties.desired": {
                    "schemaVersion": "1.1",
                    "runtime": {"type": "docker", "settings": {"minDockerVersion": "v1.25", "loggingOptions": ""}},
                    "systemModules": system,
                    "modules": {"sender": module(2), "receiver": module(1)},
                }
            },
            "$edgeHub": {
                "properties.desired": {
                    "schemaVersion": "1.1",
                    "routes": {
                        "probe": {
                            "route": "FROM /messages/modules/sender/outputs/out"
                            ' INTO BrokeredEndpoint("/modules/receiver/inputs/in")',
                            "priority": 0,
                            "timeToLiveSecs": 600,
                        }
                    },
                    "storeAndForwardConfiguration": {"timeToLiveSecs": 7200},
                }
            },
        }
    }


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    started: list[Rig] = []

    def start(address: str, **settings: object) -> Rig:
        started.append(Rig(tmp_path, address, **settings))
        return started[-1]

    yield start
    for each in started:
        each.stop()


def test_a_message_whose_handler_was_killed_is_delivered_again(rig: Callable[..., Rig]) -> None:
    running = rig("127.31.7.1", hold_first_s=300)
    running.wait("first message", lambda: running.begun() == [0])
    os.kill(running.pid("receiver"), signal.SIGKILL)
    running.wait("rest of the messages", lambda: len(set(running.ended())) == COUNT)
    assert running.begun()[:2] == [0, 0]
    assert running.ended() == list(range(COUNT))


def test_a_renewed_token_acknowledges_nothing_that_was_not_handled_on_its_connection(rig: Callable[..., Rig]) -> None:
    # The SDK renews 120 s before the end: with this time to live every 4 s, while the first message is held for 6 s.
    running = rig("127.31.7.2", hold_first_s=6, token_ttl_s=124)
    running.wait("first message", lambda: running.begun() == [0])
    running.wait("second handling of the first message", lambda: running.begun()[1:])
    # Its first handling ended after the renewal and was not acknowledged, or there would be no second one;
    # nothing behind it has been handled meanwhile, or something was acknowledged that was not handled.
    handled = [line for line in running.story if line.startswith(("begin", "end"))]
    assert handled[:3] == ["begin 0", "end 0", "begin 0"]


def test_the_hub_restarts_under_a_sender_and_a_receiver(rig: Callable[..., Rig]) -> None:
    running = rig("127.31.7.3", count=400)
    running.wait("some messages", lambda: len(running.ended()) > 50)
    running.command("restart", "hub", "--kill")
    running.wait("all messages", lambda: set(running.ended()) == set(range(400)))
    firsts = list(dict.fromkeys(running.ended()))
    assert firsts == sorted(firsts)
    assert len(running.ended()) - 400 <= 20
