"""Three processes, here small ones that only answer: started, restarted, stopped, and never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from localhub import control
from localhub.agent import proc
from localhub.agent.orphans import Records
from localhub.exits import CannotStartError, Exit
from localhub.state import State
from localhub.supervisor import Supervisor

pytestmark = pytest.mark.anyio

ANSWERS = """
import asyncio, signal, sys
from pathlib import Path
from localhub import control

async def status(call):
    return {"name": sys.argv[1], "clients": []}

async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with control.serving(control.application(control.get("/status", status)), Path(sys.argv[2])):
        await stop.wait()

asyncio.run(main())
"""
SUPERVISES = """
import asyncio, sys
from pathlib import Path
from localhub.agent.orphans import Records
from localhub.state import State
from localhub.supervisor import Supervisor

async def main():
    state = State.load(Path(sys.argv[1]))
    def command(name):
        return (sys.executable, sys.argv[2], name, str(state.run / f"{name}.sock"))
    supervisor = Supervisor(state, Records(state.root / "living.json", str(state.root)), command)
    await supervisor.start()
    async with supervisor.serving():
        await supervisor.stopping.wait()
    await supervisor.stop()

asyncio.run(main())
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def state(tmp_path: Path) -> State:
    (tmp_path / "answers.py").write_text(ANSWERS)
    return State.prepare(tmp_path / "state", address="127.61.0.2")


async def until(fact: Callable[[], object], *, within_s: float = 60) -> None:
    async with asyncio.timeout(within_s):
        while not fact():  # noqa: ASYNC110  what is waited for happens in another process
            await asyncio.sleep(0.02)


def started(state: State) -> subprocess.Popen[bytes]:
    answers = str(state.root.parent / "answers.py")
    env = {**os.environ, "PYTHONPATH": str(Path.cwd())}  # answers.py lies elsewhere
    return subprocess.Popen([sys.executable, "-c", SUPERVISES, str(state.root), answers], env=env)


@pytest.fixture
async def supervising(state: State) -> AsyncIterator[subprocess.Popen[bytes]]:
    state.link_setting.write_text('{"state": "down"}')
    process = started(state)
    try:
        assert await control.wait_for(state.supervisor_socket, timeout_s=60)
        assert not state.link_setting.exists()  # a cable pulled in the last run is in again
        yield process
    finally:
        process.kill()
        process.wait()


async def pids(state: State) -> dict[str, int]:
    status = await control.AsyncClient(state.supervisor_socket).get("/status")
    assert {part["state"] for part in status["processes"]} == {"running"}
    return {part["name"]: part["pid"] for part in status["processes"]}


async def test_what_dies_is_started_again(supervising: subprocess.Popen[bytes], state: State) -> None:
    client = control.AsyncClient(state.supervisor_socket)
    before = await pids(state)
    assert (await client.get("/status"))["cloud"]["name"] == "cloud"
    os.kill(before["cloud"], signal.SIGKILL)
    await until(lambda: proc.started(before["cloud"]) is None)
    await client.post("/restart/hub")
    await client.post("/restart/agent?kill=1")
    await until(lambda: control.answers(state.cloud_socket))
    after = await pids(state)
    assert set(after.values()).isdisjoint(before.values())
    with pytest.raises(control.ControlError, match="not one of hub, cloud, agent"):
        await client.post("/restart/camera")
    await client.post("/stop")
    assert await asyncio.to_thread(supervising.wait) == 0
    assert not any(proc.started(pid) for pid in after.values())


async def test_kill_9_of_the_supervisor_leaves_nothing(supervising: subprocess.Popen[bytes], state: State) -> None:
    living = await pids(state)
    supervising.kill()
    await until(lambda: not any(proc.started(pid) for pid in living.values()))


async def test_a_process_that_cannot_start_shows_the_end_of_its_log(state: State) -> None:
    def command(name: str) -> tuple[str, ...]:
        if name == "hub":
            return (sys.executable, "-S", "-c", "raise SystemExit('port 8883 is on fire')")
        return (sys.executable, str(state.root.parent / "answers.py"), name, str(state.run / f"{name}.sock"))

    supervisor = Supervisor(state, Records(state.root / "living.json", str(state.root)), command)
    try:
        with pytest.raises(CannotStartError, match=r"(?s)the hub does not start.*on fire") as error:
            await supervisor.start()
        assert error.value.code == Exit.FAILED
    finally:
        await supervisor.stop()
