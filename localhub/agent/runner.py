"""How a planned module becomes something that runs.

`Runner` is the seam: `ProcessRunner` starts processes, `containers.ContainerRunner` containers.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from localhub.agent import proc
from localhub.agent.logs import LogFile
from localhub.agent.orphans import Records, dies_with_parent
from localhub.agent.policy import exit_code

READ_BYTES = 65536
LAST_READS = 16  # a pipe holds 64 KB on Linux; somebody else who still writes must not hold us here


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One start, everything resolved: `env` is the whole environment.

    A process has command and folder; a container has image, createOptions and the workload API's socket.
    """

    name: str
    env: Mapping[str, str]
    log: Path
    command: tuple[str, ...] = ()
    folder: Path = Path()
    image: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    socket: Path | None = None


class LaunchError(Exception):
    """It could not be started; the text says why, in the words of the system, and what was tried."""


class Running(Protocol):
    """Something that was started."""

    @property
    def pid(self) -> int:
        """Process id of its first process."""

    async def wait(self) -> int:
        """Its exit code, once it has ended (128 + signal for a signal). To be awaited by one task only."""

    def terminate(self) -> None:
        """Ask it to stop (SIGTERM)."""

    def kill(self) -> None:
        """Stop it and everything it started (SIGKILL)."""

    def owns(self, pid: int) -> bool:
        """Whether a process id belongs to it."""

    def usage(self, *, pss: bool = False) -> proc.Usage:
        """What it uses now."""


class Runner(Protocol):
    """Starts modules; how is its own matter."""

    async def start(self, launch: Launch) -> Running:
        """Start one; raises LaunchError."""


class ProcessRunner:
    """Each module a process that leads its own session, with its output in a bounded log.

    `death` is the signal the kernel sends the process when this one dies.
    """

    def __init__(self, records: Records, *, death: signal.Signals = signal.SIGKILL) -> None:
        self._records, self._death = records, death

    async def start(self, launch: Launch) -> Running:
        """Start a process; raises LaunchError."""
        log = LogFile(launch.log)
        try:
            child = subprocess.Popen(  # noqa: ASYNC220  forks from this very thread, whose death the kernel watches
                launch.command,
                cwd=launch.folder,
                env=dict(launch.env),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=dies_with_parent(self._death),  # noqa: PLW1509  takes no lock, see there
            )
        except OSError as error:
            text = f"cannot start {' '.join(launch.command)} in {launch.folder}: {error}"
            log.write(f"localhub: {text}\n".encode())
            log.close()
            raise LaunchError(text) from error
        self._records.add(launch.name, child.pid)
        return Process(launch.name, child, log, self._records)


class Process:
    """One child of this process."""

    def __init__(self, name: str, child: subprocess.Popen[bytes], log: LogFile, records: Records) -> None:
        assert child.stdout is not None
        self._name, self._child, self._log, self._records = name, child, log, records
        self._output = child.stdout
        self._ended = False
        self._last = proc.Usage()
        os.set_blocking(self._output.fileno(), False)
        asyncio.get_running_loop().add_reader(self._output.fileno(), self._read)

    @property
    def pid(self) -> int:
        """Process id, also of the session and the process group it leads."""
        return self._child.pid

    async def wait(self) -> int:
        """Its exit code; by then nothing of its process group lives, and its output is in the log."""
        await _ended(self._child)
        self._ended = True
        # Not reaped yet, so the id is still ours and the group can only be the one it led.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._last = proc.Usage(cpu_s=proc.usage(self._child.pid).cpu_s)
        code = self._child.wait()
        self._records.remove(self._name)
        self._close()
        return exit_code(code)

    def terminate(self) -> None:
        """SIGTERM to the process itself: what it started is its own to stop."""
        if not self._ended:
            self._child.terminate()

    def kill(self) -> None:
        """SIGKILL to its whole process group."""
        if not self._ended:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)

    def owns(self, pid: int) -> bool:
        """Whether `pid` is this process, below it, or of its session."""
        return not self._ended and proc.descends(pid, self._child.pid)

    def usage(self, *, pss: bool = False) -> proc.Usage:
        """CPU and memory of it and everything below it; after its end the CPU seconds it has used."""
        return self._last if self._ended else proc.usage(self._child.pid, pss=pss)

    def _read(self) -> bool:
        try:
            data = os.read(self._output.fileno(), READ_BYTES)
        except BlockingIOError:
            return False
        if data:
            self._log.write(data)
        else:
            asyncio.get_running_loop().remove_reader(self._output.fileno())
        return bool(data)

    def _close(self) -> None:
        for _ in range(LAST_READS):
            if not self._read():
                break
        asyncio.get_running_loop().remove_reader(self._output.fileno())
        self._output.close()
        self._log.close()


async def _ended(child: subprocess.Popen[bytes]) -> None:
    """Wait for the end of a child without reaping it and without a thread where the kernel can tell (Linux 5.3)."""
    try:
        descriptor = os.pidfd_open(child.pid)
    except (AttributeError, OSError):
        await asyncio.to_thread(os.waitid, os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        return
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
