"""`python -m localhub run` as a person runs it: in a terminal and without, ended by Ctrl-C, SIGTERM and kill -9."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localhub.agent import proc
from localhub.agent.environment import OWNER
from localhub.manners import EDGEHUB
from localhub.state import State

pytestmark = pytest.mark.system
ADDRESS = "127.61.0.5"
STOP_S = 10.0
MODULE = "import os, time\nprint('I am', os.environ['IOTEDGE_MODULEID'], flush=True)\ntime.sleep(600)\n"
TOML = """
[modules.one]
command = ["${PYTHON}", "-S", "one.py"]
[modules.two]
command = ["${PYTHON}", "-S", "one.py"]
[screen]
highlight = "kind = 'alert'"
page = "http://127.0.0.1:8080"
"""


def entry(order: int) -> dict[str, Any]:
    return {
        "version": "1.0",
        "type": "docker",
        "status": "running",
        "restartPolicy": "always",
        "startupOrder": order,
        "settings": {"image": "registry/one:1", "createOptions": "{}"},
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    system = {
        name: {
            "type": "docker",
            "status": "running",
            "restartPolicy": "always",
            "settings": {"image": "x:1", "createOptions": "{}"},
        }
        for name in ("edgeAgent", "edgeHub")
    }
    del system["edgeAgent"]["status"], system["edgeAgent"]["restartPolicy"]
    agent = {
        "schemaVersion": "1.1",
        "runtime": {"type": "docker", "settings": {"minDockerVersion": "v1.25"}},
        "systemModules": system,
        "modules": {"one": entry(1), "two": entry(2)},
    }
    hub = {
        "schemaVersion": "1.1",
        "routes": {"up": {"route": "FROM /messages/modules/one/* INTO $upstream", "timeToLiveSecs": 60}},
        "storeAndForwardConfiguration": {"timeToLiveSecs": 60},
    }
    content = {"$edgeAgent": {"properties.desired": agent}, "$edgeHub": {"properties.desired": hub}}
    (tmp_path / "deployment.json").write_text(json.dumps({"modulesContent": content}, indent=2))
    (tmp_path / "localhub.toml").write_text(TOML)
    (tmp_path / "one.py").write_text(MODULE)
    return tmp_path


def command(folder: Path, *options: str) -> list[str]:
    words = ["run", str(folder / "deployment.json"), "--state", str(folder / "state"), "--address", ADDRESS]
    return [sys.executable, "-m", "localhub", *words, *options]


def ours(folder: Path) -> list[int]:
    """Every living process that bears the mark of this state folder."""
    owner = str((folder / "state").resolve())
    pids = [int(entry.name) for entry in proc.PROC.iterdir() if entry.name.isdecimal()]
    return [pid for pid in pids if proc.started(pid) and proc.environment(pid).get(OWNER) == owner]


def wait(fact: Any, within_s: float = 60) -> None:
    end = time.monotonic() + within_s
    while not fact():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.02)


class Terminal:
    """A localhub in a terminal of its own."""

    def __init__(self, words: list[str]) -> None:
        self.seen = ""
        self.pid, self._screen = pty.fork()
        if self.pid == 0:
            os.environ.update({"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"})
            os.execv(words[0], words)

    def read_until(self, text: str, within_s: float = 60) -> None:
        end = time.monotonic() + within_s
        while text not in self.seen:
            assert time.monotonic() < end, self.seen
            if select.select([self._screen], [], [], 0.1)[0]:
                self.seen += os.read(self._screen, 65536).decode(errors="replace")

    def type(self, data: bytes) -> None:
        os.write(self._screen, data)

    def ended(self) -> int:
        """Its exit code; what it says last is read, or it could not say it."""
        while True:
            try:
                data = os.read(self._screen, 65536)
            except OSError:  # the other end is closed
                break
            self.seen += data.decode(errors="replace")
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self._screen)
        return code


def test_ctrl_c_in_a_terminal_stops_everything_and_prints_totals(folder: Path) -> None:
    terminal = Terminal(command(folder, "--strict"))
    terminal.read_until("localhub is up")
    terminal.read_until("strict: it does as edgeHub does")
    assert State.load(folder / "state").manners is EDGEHUB
    terminal.read_until("page: http://127.0.0.1:8080")
    terminal.read_until("Ctrl-C stops everything")
    wait(lambda: (folder / "state/logs/two.log").exists() and "I am two" in (folder / "state/logs/two.log").read_text())
    began = time.monotonic()
    terminal.type(b"\x03")
    assert terminal.ended() == 0
    assert time.monotonic() - began < STOP_S
    assert "arrived at the cloud 0" in terminal.seen
    assert ours(folder) == []


@pytest.fixture
def running(folder: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    assert "localhub is up" in process.stdout.readline()
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_plain_lines_without_a_terminal_and_sigterm(running: subprocess.Popen[str], folder: Path) -> None:
    assert running.stdout is not None
    assert running.stdout.readline() == "page: http://127.0.0.1:8080\n"
    assert "modules run" in running.stdout.readline()
    asked = [sys.executable, "-m", "localhub", "status", "--format", "json", "--state", str(folder / "state")]
    status = json.loads(subprocess.run(asked, check=True, capture_output=True).stdout)
    assert {part["name"]: part["state"] for part in status["processes"]} == dict.fromkeys(
        ("hub", "cloud", "agent"), "running"
    )
    running.send_signal(signal.SIGTERM)
    output, _ = running.communicate(timeout=STOP_S)
    assert running.returncode == 0
    assert "ran " in output
    assert ours(folder) == []


def test_kill_9_of_the_supervisor_leaves_nothing_and_the_next_run_goes_on(
    running: subprocess.Popen[str], folder: Path
) -> None:
    assert len(ours(folder)) >= 3
    running.kill()
    running.wait()
    wait(lambda: ours(folder) == [])
    again = subprocess.Popen(command(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert again.stdout is not None
    assert "localhub is up" in again.stdout.readline()
    again.send_signal(signal.SIGINT)
    again.communicate(timeout=STOP_S)
    assert again.returncode == 0


def test_what_is_wrong_is_said_with_its_line_and_code(folder: Path) -> None:
    (folder / "localhub.toml").write_text("[modules.one]\ncommand = 1\n")
    ended = subprocess.run(command(folder), capture_output=True, text=True, check=False)
    assert ended.returncode == 3
    assert "localhub.toml:2: modules.one.command must be a list of strings" in ended.stderr
    assert not (folder / "state").exists()
