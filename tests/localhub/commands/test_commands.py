"""The command line against processes that only answer: what is sent, what is printed, and the exit code."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from localhub import control
from localhub.__main__ import main
from localhub.agent.logs import LogFile
from localhub.control.server import Call, Refused
from localhub.exits import Exit
from localhub.state import State

UNIT = {"name": "camera", "state": "running", "pid": 7, "restarts": 1, "exit_code": None, "cpu_percent": 1.0, "rss": 5}
STATUS = {
    "uptime_s": 3.0,
    "address": "127.61.0.4",
    "state": "/s",
    "processes": [{"name": "hub", "state": "running"}],
    "strict": True,
    "hub": None,
    "cloud": {"arrivals": 7, "distinct": 6, "bytes": 2000},
    "agent": {"modules": [UNIT], "leaves": []},
}
MESSAGES = [{"source": "camera", "output": "alerts", "properties": {"kind": "alert"}, "body": "hot"}] * 3


class Asked:
    """What the commands asked for."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, Any]] = []
        self.ended = 0

    def note(self, call: Call, what: str) -> None:
        self.requests.append((what, call.body))

    def last(self) -> tuple[str, Any]:
        return self.requests[-1]


@pytest.fixture
def state(tmp_path: Path) -> State:
    state = State.prepare(tmp_path / "state", address="127.61.0.4")
    state.manifest.write_text(json.dumps({"$edgeAgent": {"properties.desired": {"modules": {"camera": {}}}}}))
    return state


@pytest.fixture
def asked(state: State) -> Iterator[Asked]:
    """The control sockets of a localhub, served by a loop in a thread."""
    asked = Asked()

    def answering(what: str, answer: object) -> Callable[[Call], Any]:
        async def handler(call: Call) -> object:
            asked.note(call, what.format(**call.path, query=dict(call.query)))
            if call.path.get("name") == "nobody":
                raise Refused(404, "there is no module nobody; there are: camera")
            return answer

        return handler

    async def watch(call: Call) -> AsyncIterator[object]:
        asked.note(call, f"watch {dict(call.query)}")

        async def messages() -> AsyncIterator[object]:
            for message in MESSAGES:
                yield message

        return messages()

    env = {"IOTEDGE_MODULEID": "camera"}
    apps = {
        state.supervisor_socket: control.application(
            control.get("/status", answering("status", STATUS)),
            control.post("/restart/{name}", answering("restart {name} {query}", {"state": "running", "pid": 3})),
            control.post("/stop", answering("stop", {"pid": _ended_process()})),
        ),
        state.agent_socket: control.application(
            control.get("/status", answering("agent status {query}", {"modules": [], "leaves": []})),
            control.get("/env/{name}", answering("env {name}", env)),
            control.post("/module/{name}/lend", answering("lend {name}", env)),
            control.post("/module/{name}/{verb}", answering("{verb} {name}", UNIT)),
            control.post("/clock", answering("clock", {"restarted": []})),
        ),
        state.hub_socket: control.application(
            control.get("/watch", watch),
            control.post("/link", answering("link", {"state": "slow"})),
            control.post("/inject", answering("inject", {})),
            control.post("/fault", answering("fault", {"clients": ["gw1/camera"], "disk_full": True})),
        ),
    }
    ready, loop = threading.Event(), asyncio.new_event_loop()

    async def serve() -> None:
        async with asyncio.TaskGroup() as group:
            for path, app in apps.items():
                group.create_task(control.serve(app, path))
            for path in apps:
                await control.wait_for(path, timeout_s=60)
            ready.set()

    task = loop.create_task(serve())

    def run() -> None:
        with pytest.raises(asyncio.CancelledError):
            loop.run_until_complete(task)
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(10)
    yield asked
    loop.call_soon_threadsafe(task.cancel)
    thread.join()


def _ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def localhub(state: State, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*words: str) -> tuple[int, str, str]:
        code = main([*words, "--state", str(state.root)])
        output = capsys.readouterr()
        return code, output.out, output.err

    return run


Localhub = Callable[..., tuple[int, str, str]]


def test_status(localhub: Localhub, asked: Asked) -> None:
    code, output, _ = localhub("status")
    assert code == Exit.OK
    assert "module camera running" in output
    assert "arrived 7" in output
    code, output, _ = localhub("status", "--format", "json", "--pss")
    assert json.loads(output) == STATUS | {"agent": {"modules": [], "leaves": []}}
    assert asked.last() == ("agent status {'pss': '1'}", None)


@pytest.mark.parametrize(
    ("words", "request_", "output"),
    [
        (["restart", "hub"], "restart hub {}", "hub running, process 3"),
        (["restart", "agent", "--kill"], "restart agent {'kill': '1'}", "agent running, process 3"),
        (["restart", "camera"], "restart camera", "camera running, process 7"),
        (["restart", "camera", "--kill"], "kill camera", "camera running, process 7"),
        (["start", "camera"], "start camera", "camera running"),
        (["halt", "camera"], "stop camera", "camera running"),
        (["stop"], "stop", "stopped"),
        (["env", "camera"], "env camera", "export IOTEDGE_MODULEID='camera'"),
        (["env", "camera", "--take"], "lend camera", "export IOTEDGE_MODULEID='camera'"),
    ],
)
def test_what_is_asked_and_printed(
    localhub: Localhub, asked: Asked, words: list[str], request_: str, output: str
) -> None:
    assert localhub(*words)[:2] == (Exit.OK, f"{output}\n")
    assert asked.last()[0] == request_
    assert json.loads(localhub(*words, "--format", "json")[1])


@pytest.mark.parametrize(
    ("words", "body", "said"),
    [
        ("drop", {"kind": "drop"}, "disconnected: gw1/camera"),
        ("drop camera", {"kind": "drop", "client": "camera"}, "disconnected: gw1/camera"),
        (
            "refuse 3 camera --times 2",
            {"kind": "refuse", "client": "camera", "code": 3, "times": 2},
            "the next 2 CONNECT of camera: code 3",
        ),
        ("puback 250", {"kind": "puback", "delay_ms": 250.0}, "PUBACKs to everybody: 250 ms late"),
        ("puback 0 camera", {"kind": "puback", "delay_ms": 0.0, "client": "camera"}, "PUBACKs to camera: at once"),
        ("session camera", {"kind": "session", "client": "camera"}, "its session is lost: gw1/camera"),
        ("tokens", {"kind": "tokens"}, "tokens expired: gw1/camera"),
        ("disk full", {"kind": "disk", "full": True}, "the hub's disk is full"),
        ("clock -60", {"kind": "clock", "offset_s": -60.0}, "the clock of the hub is -60 s wrong"),
        ("clock 0", {"kind": "clock", "offset_s": 0.0}, "the clock of the hub is right"),
        ("clock +1e6 --modules", {"kind": "clock", "offset_s": 1e6}, "the clock of hub and modules is +1e+06 s wrong"),
        ("clear", {"kind": "clear"}, "no faults are set"),
    ],
)
def test_fault(localhub: Localhub, asked: Asked, words: str, body: dict[str, Any], said: str) -> None:
    code, output, _ = localhub("fault", *words.split())
    assert (code, output.strip()) == (Exit.OK, said)
    assert ("fault", body) in asked.requests
    offsets = [facts["offset_s"] for what, facts in asked.requests if what == "clock"]
    assert offsets == ([0] if words == "clear" else [1e6] if "--modules" in words else [])


def test_link(localhub: Localhub, asked: Asked) -> None:
    assert localhub("link", "slow", "--bytes-per-s", "1000")[0] == Exit.OK
    assert asked.last() == ("link", {"state": "slow", "bytes_per_s": 1000})
    assert localhub("link", "slow", "--latency-ms", "250")[0] == Exit.OK
    assert asked.last() == ("link", {"state": "slow", "latency_ms": 250.0})


def test_send(localhub: Localhub, asked: Asked, tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(b"\xff\x00")
    assert (
        localhub("send", "camera/commands", str(tmp_path / "body"), "-p", "kind=command", "-p", "a=b=c")[0] == Exit.OK
    )
    assert asked.last() == (
        "inject",
        {
            "module": "camera",
            "input": "commands",
            "body_b64": base64.b64encode(b"\xff\x00").decode(),
            "properties": {"kind": "command", "a": "b=c"},
        },
    )
    assert localhub("send", "camera", str(tmp_path / "body"))[0] == Exit.USAGE
    assert localhub("send", "camera/x", str(tmp_path / "none"))[0] == Exit.USAGE


def test_watch(localhub: Localhub, asked: Asked) -> None:
    code, output, _ = localhub("watch", "camera/alerts", "-n", "2", "--where", "kind = 'alert'")
    assert (code, output.splitlines()) == (Exit.OK, ["camera alerts  kind=alert  hot"] * 2)
    assert asked.last()[0] == "watch {'pattern': 'camera/alerts', 'where': \"kind = 'alert'\"}"
    assert [json.loads(line) for line in localhub("watch", "*", "--format", "json")[1].splitlines()] == MESSAGES


def test_a_module_that_is_not_there_is_refused_with_those_that_are(localhub: Localhub, tmp_path: Path) -> None:
    (tmp_path / "body").write_text("{}")
    for words in (("send", "camra/in", str(tmp_path / "body")), ("watch", "camra/alerts")):
        code, output, error = localhub(*words)
        assert (code, output) == (Exit.FAILED, "")
        assert "there is no module camra; there are: camera" in error


def test_what_is_refused_is_printed(localhub: Localhub, asked: Asked) -> None:
    assert asked.requests == []
    code, output, error = localhub("restart", "nobody")
    assert (code, output) == (Exit.FAILED, "")
    assert "there are: camera" in error


def test_logs(localhub: Localhub, state: State) -> None:
    log = LogFile(state.log("camera"))
    log.write(b"one\ntwo\nthree\n")
    log.close()
    assert localhub("logs", "camera", "-n", "2")[:2] == (Exit.OK, "two\nthree\n")
    assert localhub("logs", "camera", "-n", "1", "--format", "json")[1] == '{"line": "three"}\n'
    code, _, error = localhub("logs", "nobody")
    assert (code, error) == (Exit.FAILED, "localhub: no log of nobody; there are: camera\n")


def test_nothing_runs(localhub: Localhub, tmp_path: Path) -> None:
    code, _, error = localhub("status")
    assert code == Exit.NOT_RUNNING
    assert "start it with: python -m localhub run MANIFEST --state" in error
    assert main(["status", "--state", str(tmp_path / "none")]) == Exit.NOT_RUNNING


def test_logs_that_grow_are_followed_over_the_change_to_a_new_file(state: State) -> None:
    log = LogFile(state.log("camera"), limit=20)
    log.write(b"first line\n")
    command = [sys.executable, "-m", "localhub", "logs", "camera", "-f", "--state", str(state.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        assert following.stdout.readline() == "first line\n"
        log.write(b"second line\n")
        assert following.stdout.readline() == "second line\n"
        following.terminate()
    log.close()
