"""Modules as containers of the engine on this machine: the very images that a gateway runs, under the same manifest."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

from localhub.agent import door, proc
from localhub.agent.creation import DIGEST_LABEL, Site, creation
from localhub.agent.engine import Engine, EngineError
from localhub.agent.logs import LogFile
from localhub.agent.runner import Launch, LaunchError
from localhub.state import State

SYSTEM_NAMES = ("edgeHub", "edgeAgent")
_CALLS = 8  # of the engine at once: as many as start together


@contextlib.asynccontextmanager
async def opened(state: State, metrics_port: int) -> AsyncIterator[tuple[ContainerRunner, list[str]]]:
    """A runner for the modules of a state folder, and what an earlier run had left running, which was removed.

    At the end of the block no container and no network of it is left. `metrics_port` is the agent's. Raises
    EngineError.
    """
    engine = await asyncio.to_thread(Engine)
    site = Site.of(state.root)
    left = await asyncio.to_thread(engine.remove_leftovers, site)
    gateway = await asyncio.to_thread(engine.make_network, site)
    site = Site.of(state.root, dict.fromkeys((*SYSTEM_NAMES, state.gateway), gateway))
    try:
        async with _door(state, gateway, metrics_port):
            runner = ContainerRunner(engine, site)
            try:
                yield runner, left
            finally:
                await asyncio.to_thread(engine.remove_leftovers, site)
                runner.close()
    finally:
        await asyncio.to_thread(engine.remove_network, site)


@contextlib.asynccontextmanager
async def _door(state: State, gateway: str, metrics_port: int) -> AsyncIterator[None]:
    def metrics(name: str) -> door.Address:
        if name == "edgeagent":
            return state.address, metrics_port
        return state.address, State.load(state.root).metrics_port  # the hub may take another port at a restart

    def https(_name: str) -> door.Address | None:
        return (state.address, state.https_port) if state.https_port else None

    targets = {door.MQTT: lambda _name: (state.address, door.MQTT), door.HTTPS: https, door.METRICS: metrics}
    async with contextlib.AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(door.opened(gateway, targets))
        except OSError as error:
            raise EngineError(
                f"{gateway}:{door.MQTT}, where containers are to find the hub, cannot be had ({error.strerror}): "
                "--containers needs an engine that runs on this machine itself"
            ) from error
        yield


class ContainerRunner:
    """Starts each module in a container of its own."""

    def __init__(self, engine: Engine, site: Site) -> None:
        self._engine, self._site = engine, site
        self._calls = ThreadPoolExecutor(_CALLS, "docker")

    async def start(self, launch: Launch) -> Container:
        """Start one; raises LaunchError."""
        loop = asyncio.get_running_loop()
        log = LogFile(launch.log)
        try:
            container, output, pid = await loop.run_in_executor(self._calls, self._start, launch)
        except EngineError as error:
            log.write(f"localhub: {error}\n".encode())
            log.close()
            raise LaunchError(str(error)) from error
        return Container(self._engine, self._calls, container, pid, output, log)

    def close(self) -> None:
        """No more calls."""
        self._calls.shutdown(wait=False, cancel_futures=True)

    def _start(self, launch: Launch) -> tuple[str, Iterator[bytes], int]:
        assert launch.socket is not None
        config = creation(launch.name, launch.image, launch.options, launch.env, socket=launch.socket, site=self._site)
        container = self._engine.place(self._site.container(launch.name), config, DIGEST_LABEL)
        return container, *self._engine.start(container)


class Container:
    """One start of a container. CPU and memory are those of its processes, which this machine's kernel knows."""

    def __init__(
        self, engine: Engine, calls: ThreadPoolExecutor, container: str, pid: int, output: Iterator[bytes], log: LogFile
    ) -> None:
        self._engine, self._calls, self._container = engine, calls, container
        self._pid = pid
        self._loop = asyncio.get_running_loop()
        self._code: asyncio.Future[int] = self._loop.create_future()
        self._last = proc.Usage()
        threading.Thread(
            target=self._follow, args=(output, log), name=f"output of {container[:12]}", daemon=True
        ).start()

    @property
    def pid(self) -> int:
        """Process id of its first process on this machine."""
        return self._pid

    async def wait(self) -> int:
        """Its exit code; by then its output is in the log."""
        return await self._code

    def terminate(self) -> None:
        """SIGTERM to its first process."""
        self._calls.submit(self._engine.signal, self._container, "SIGTERM")

    def kill(self) -> None:
        """SIGKILL: the engine ends all of its processes with the first."""
        self._calls.submit(self._engine.signal, self._container, "SIGKILL")

    def owns(self, pid: int) -> bool:
        """Whether `pid`, as this machine counts, is one of the container's."""
        return self._pid > 0 and not self._code.done() and proc.descends(pid, self._pid)

    def usage(self, *, pss: bool = False) -> proc.Usage:
        """CPU and memory of its processes; after its end the CPU seconds that were seen last."""
        if self._code.done() or self._pid == 0:
            return proc.Usage(cpu_s=self._last.cpu_s)
        now = proc.usage(self._pid, pss=pss)
        if now.processes:
            self._last = now
        return self._last

    def _follow(self, output: Iterator[bytes], log: LogFile) -> None:
        """In a thread of its own: output until there is no more, then the exit code."""
        try:
            for data in output:
                log.write(data)
            code, starved = self._engine.wait(self._container)
            if starved:
                log.write(b"localhub: the kernel killed it: it wanted more than HostConfig.Memory\n")
        except (EngineError, OSError) as error:  # the engine went away, and with it whatever it ran
            log.write(f"localhub: the Docker engine does not answer any more: {error}\n".encode())
            code = 255
        finally:
            log.close()
        with contextlib.suppress(RuntimeError):  # the agent has ended meanwhile
            self._loop.call_soon_threadsafe(self._ended, code)

    def _ended(self, code: int) -> None:
        if not self._code.done():
            self._code.set_result(code)
