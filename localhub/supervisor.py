"""The processes of a gateway, hub, cloud and agent: started together, restarted when they die, stopped in order.

Each is a process of its own so that the commonest field events can be played: edgeHub restarts while the modules live
on, the cloud goes away, the agent is killed. Their output is in the logs of the state folder. A gateway that was added
to another joins its cloud, and has two.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from localhub import control
from localhub.agent import proc
from localhub.agent.environment import OWNER
from localhub.agent.keeper import Keeper
from localhub.agent.logs import tail
from localhub.agent.orphans import Records, adopt_orphans, end_adopted
from localhub.agent.policy import Policy, Runtime
from localhub.agent.runner import Launch, ProcessRunner
from localhub.carried import Carried
from localhub.exits import CannotStartError, Exit
from localhub.state import State

READY_S = 30.0
FAILURES_AT_START = 3
# Ctrl-C has to end everything within 10 s: leaf devices and modules first, then those they speak to.
MODULES_GRACE_S = 5.0
AGENT_GRACE_S = 8.0
HUB_GRACE_S = 1.2
LOG_LINES = 15

LOG = logging.getLogger(__name__)


class Supervisor:
    """Hub, cloud and agent of one state folder.

    `command` gives the command line of each, by name; `others` the process ids of this process' other supervisors.
    """

    def __init__(
        self,
        state: State,
        records: Records,
        command: Callable[[str], tuple[str, ...]] | None = None,
        others: Callable[[], set[int]] = set,
    ) -> None:
        self.state = state
        self._others = others
        self._command = command or self._own_command
        self._began = time.monotonic()
        runner = ProcessRunner(records, death=signal.SIGTERM)
        names = ("hub", "cloud", "agent") if state.cloud is None else ("hub", "agent")
        self.processes = {name: self._keeper(name, runner) for name in names}
        self.stopping = asyncio.Event()
        self._carried = Carried()
        self._watchers: list[asyncio.Task[None]] = []

    @property
    def uptime_s(self) -> float:
        """Seconds since this supervisor was made."""
        return time.monotonic() - self._began

    async def start(self) -> None:
        """Start them all; returns when each of them answers. Raises CannotStartError when one cannot be had."""
        adopt_orphans()
        self.state.link_setting.unlink(missing_ok=True)  # a cable that was pulled in the last run is in again
        await asyncio.gather(*(process.start() for process in self.processes.values()))
        self._watchers = [asyncio.create_task(self._bury(process)) for process in self.processes.values()]
        await asyncio.gather(*(self._ready(name) for name in self.processes))
        await self.status()  # what the cloud has from earlier runs is not this run's

    async def restart(self, name: str, *, kill: bool = False) -> None:
        """Restart one of them, orderly or by SIGKILL; returns when it answers again. Raises KeyError."""
        process = self.processes[name]
        if kill:
            process.kill()
            await process.started_again()
        else:
            await process.restart(AGENT_GRACE_S if name == "agent" else HUB_GRACE_S)
        await self._ready(name)

    async def stop_modules(self) -> None:
        """Stop the agent, and with it every module and leaf device."""
        await self.processes["agent"].stop(AGENT_GRACE_S)

    async def stop(self) -> None:
        """Stop everything; nothing of this localhub lives afterwards."""
        await self.stop_modules()
        await asyncio.gather(*(process.stop(HUB_GRACE_S) for process in self.processes.values()))
        for watcher in self._watchers:
            watcher.cancel()
        self._end_adopted()

    def kill(self) -> None:
        """Stop everything at once: what a second Ctrl-C asks for."""
        for process in self.processes.values():
            process.kill()

    @property
    def pids(self) -> set[int]:
        """Of the processes that run."""
        return {pid for process in self.processes.values() if (pid := process.pid)}

    async def status(self) -> dict[str, Any]:
        """What they say of themselves, and what is known of them from here; counters are those of this run.

        None stands for a cloud or an agent that does not answer; of such a hub, what it said last.
        """
        state = self.state
        of_this = {} if state.cloud is None else {"gateway": state.gateway}
        hub, cloud, agent = await asyncio.gather(
            _asked(state.hub_socket), _asked(state.cloud_socket, **of_this), _asked(state.agent_socket)
        )
        hub_starts = self.processes["hub"].starts
        return {
            "state": str(state.root),
            "gateway": state.gateway,
            "address": state.address,
            "metrics_port": state.metrics_port,
            "strict": state.strict,
            "uptime_s": round(self.uptime_s, 1),
            "processes": [_facts(process) for process in self.processes.values()],
            "hub": self._carried.hub(hub_starts, hub),
            "cloud": self._carried.cloud(cloud),
            "agent": agent,
        }

    def app(self, *more: Any) -> Any:
        """The app of the control socket, with more routes."""

        async def status(_call: control.Call) -> object:
            return await self.status()

        async def restart(call: control.Call) -> object:
            name = call.path["name"]
            if name not in self.processes:
                raise control.Refused(404, f"{name} is not one of {', '.join(self.processes)}")
            await self.restart(name, kill="kill" in call.query)
            return _facts(self.processes[name])

        async def stop(_call: control.Call) -> object:
            self.stopping.set()
            return {"pid": os.getpid()}

        return control.application(
            control.get("/status", status),
            control.post("/restart/{name}", restart),
            control.post("/stop", stop),
            *more,
        )

    @contextlib.asynccontextmanager
    async def serving(self, *more: Any) -> AsyncIterator[None]:
        """Serve the control socket, with more routes, while the block runs."""
        async with control.serving(self.app(*more), self.state.supervisor_socket):
            yield

    def _own_command(self, name: str) -> tuple[str, ...]:
        grace = ("--grace", str(MODULES_GRACE_S)) if name == "agent" else ()
        return (sys.executable, "-m", f"localhub.{name}", "--state", str(self.state.root), *grace)

    def _keeper(self, name: str, runner: ProcessRunner) -> Keeper:
        command = self._command(name)
        env = {**os.environ, OWNER: str(self.state.root), "PYTHONUNBUFFERED": "1"}

        async def launch() -> Launch:
            # In the folder this process was started in, so that `-m` finds the same localhub.
            return Launch(name=name, command=command, folder=Path(), env=env, log=self.state.log(name))

        return Keeper(name, runner, launch, Policy.ALWAYS)

    async def _ready(self, name: str) -> None:
        process = self.processes[name]
        path = self.state.run / f"{name}.sock"
        end = time.monotonic() + READY_S
        failures = process.restarts + FAILURES_AT_START
        while not (process.state is Runtime.RUNNING and control.answers(path)):
            if process.restarts >= failures or process.state is Runtime.FAILED or time.monotonic() > end:
                last = "\n".join(f"    {line}" for line in tail(self.state.log(name), LOG_LINES))
                raise CannotStartError(f"the {name} does not start; the end of its log:\n{last}", Exit.FAILED)
            await asyncio.sleep(0.01)

    async def _bury(self, process: Keeper) -> None:
        """When one of them dies, end what it left; orphans come to this process, which reaps them."""
        while True:
            await process.changed.wait()
            process.changed.clear()
            if process.state is not Runtime.RUNNING:
                self._end_adopted()

    def _end_adopted(self) -> None:
        end_adopted(self.pids | self._others(), str(self.state.root))


async def _asked(path: Path, **query: str) -> Any:
    try:
        return await control.AsyncClient(path, timeout_s=2).get("/status", **query)
    except (control.NotRunningError, control.ControlError):
        return None  # it restarts just now; the others have something to say


def _facts(process: Keeper) -> dict[str, Any]:
    own = proc.stat(process.pid) if process.pid else None  # without its children: the agent's are the modules
    return {
        "name": process.name,
        "state": process.state,
        "pid": process.pid,
        "restarts": process.restarts,
        "exit_code": process.exit_code,
        "cpu_s": own and round(own.cpu_s, 3),
        "rss": own and own.rss,
    }
