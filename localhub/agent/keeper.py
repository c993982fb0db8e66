"""Keeps one planned process in the state that is wanted: running, with restarts by its policy, or stopped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

from localhub.agent.metrics import Commands
from localhub.agent.policy import Again, Policy, Runtime, Timings, after_exit
from localhub.agent.proc import Usage
from localhub.agent.runner import Launch, LaunchError, Runner, Running

GRACE_S = 10.0  # Docker's, and what the modules are written for
NOT_STARTED = 127  # what a shell says of a command it cannot run

LOG = logging.getLogger(__name__)


class Keeper:
    """One module, leaf device or process of localhub itself.

    `launch` is called before every start, so that each start sees the facts of its moment; it may raise LaunchError.
    """

    def __init__(
        self,
        name: str,
        runner: Runner,
        launch: Callable[[], Awaitable[Launch]],
        policy: Policy,
        timings: Timings | None = None,
    ) -> None:
        self.name = name
        self.state = Runtime.STOPPED
        self.restarts = 0
        self.starts = 0
        self.exit_code: int | None = None
        self.exit_text: str | None = None
        self.started: datetime | None = None
        self.exited: datetime | None = None
        self.running: Running | None = None
        self.changed = asyncio.Event()  # set at every change of state; who waits for it clears it
        self.commands = Commands()
        self._runner, self._launch, self._policy = runner, launch, policy
        self._timings = timings or Timings()
        self._stopping = asyncio.Event()
        self._up = asyncio.Event()
        self._life: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._cpu_before = 0.0
        self._correct_s = self._expected_s = 0.0
        self._correct_since: float | None = None
        self._expected_since: float | None = None

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self.running.pid if self.running else None

    async def start(self) -> None:
        """Make it run; returns when it has been started, or could not be. Nothing happens when it runs already."""
        async with self._turn:
            with self.commands.timed("start"):
                await self._start()

    async def stop(self, grace_s: float = GRACE_S) -> None:
        """SIGTERM, SIGKILL after `grace_s` seconds; returns when it has ended. Its policy does not start it again."""
        async with self._turn:
            with self.commands.timed("stop"):
                await self._stop(grace_s)

    async def restart(self, grace_s: float = GRACE_S) -> None:
        """Stop and start; counted as a restart."""
        async with self._turn:
            with self.commands.timed("restart"):
                await self._stop(grace_s)
                self.restarts += 1
                await self._start()

    def kill(self) -> None:
        """SIGKILL, as a crash: its policy decides what follows."""
        if self.running:
            self.running.kill()

    async def started_again(self) -> None:
        """Wait until it has ended and runs once more, or stays ended."""
        self._up.clear()
        await self._until_up()

    async def ended(self) -> None:
        """Wait until it neither runs nor will be started again."""
        if self._life:
            await asyncio.shield(self._life)

    def usage(self, *, pss: bool = False) -> Usage:
        """What it uses now; `cpu_s` counts on over restarts."""
        now = self.running.usage(pss=pss) if self.running else Usage()
        return replace(now, cpu_s=self._cpu_before + now.cpu_s)

    @property
    def correct_s(self) -> float:
        """Seconds it has run."""
        return self._correct_s + _since(self._correct_since)

    @property
    def expected_s(self) -> float:
        """Seconds it was to run."""
        return self._expected_s + _since(self._expected_since)

    async def _start(self) -> None:
        if self._life and not self._life.done():
            return
        self._stopping.clear()
        self._up.clear()
        self._expected_since = time.monotonic()
        self._life = asyncio.create_task(self._live(), name=f"keeper of {self.name}")
        await self._until_up()

    async def _until_up(self) -> None:
        if self._life is None:
            return
        up = asyncio.create_task(self._up.wait())
        try:
            await asyncio.wait({up, self._life}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            up.cancel()

    async def _stop(self, grace_s: float) -> None:
        if self._life is None or self._life.done():
            return
        self._stopping.set()
        if self.running:
            self.running.terminate()
        done, _ = await asyncio.wait({self._life}, timeout=grace_s)
        if not done:
            LOG.warning("%s did not stop within %g s of SIGTERM: killed", self.name, grace_s)
            self.kill()
        await self._life

    async def _live(self) -> None:
        try:
            await self._run_by_policy()
        finally:
            if self._stopping.is_set():  # else it is to run, and does not
                self._expected_s, self._expected_since = self.expected_s, None

    async def _run_by_policy(self) -> None:
        streak = 0
        while True:
            code, ran_s = await self._once()
            if self._stopping.is_set():
                self._become(Runtime.STOPPED)
                return
            following = after_exit(self._policy, self._timings, code=code, ran_s=ran_s, streak=streak)
            if not isinstance(following, Again):
                self._say_end(code, f"stays {following.state}")
                self._become(following.state)
                return
            self._say_end(code, f"starts again in {following.pause_s:g} s")
            self._become(Runtime.BACKOFF)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(following.pause_s):
                    await self._stopping.wait()
            if self._stopping.is_set():
                self._become(Runtime.STOPPED)
                return
            streak = following.streak
            self.restarts += 1

    async def _once(self) -> tuple[int, float]:
        """Start it, wait for its end; exit code and seconds it ran."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            self.running = await self._runner.start(await self._launch())
        except LaunchError as error:
            self.exit_code, self.exit_text = NOT_STARTED, str(error)
            self._up.set()
            return NOT_STARTED, 0.0
        self.started = datetime.now(UTC)
        self.starts += 1
        self.exit_text = None
        self._become(Runtime.RUNNING)
        self._up.set()
        if self._stopping.is_set():  # asked to stop while it was being started
            self.running.terminate()
        self.exit_code = await self.running.wait()
        self.exited = datetime.now(UTC)
        self._cpu_before += self.running.usage().cpu_s
        self.running = None
        return self.exit_code, loop.time() - began

    def _become(self, state: Runtime) -> None:
        self._correct_s = self.correct_s
        self._correct_since = time.monotonic() if state is Runtime.RUNNING else None
        self.state = state
        self.changed.set()

    def _say_end(self, code: int, then: str) -> None:
        if self.exit_text:
            LOG.error("%s: %s; %s", self.name, self.exit_text, then)
        else:
            LOG.log(logging.WARNING if code else logging.INFO, "%s ended with exit code %d; %s", self.name, code, then)


def _since(moment: float | None) -> float:
    return 0.0 if moment is None else time.monotonic() - moment
