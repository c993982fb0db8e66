"""Processes that outlived who started them, and how they are found and ended.

Three nets, each for what falls through the one before:
1. Every process asks the kernel to be killed when its parent dies (PR_SET_PDEATHSIG, Linux), also by kill -9.
2. Every process leads a session of its own; whatever it started is a member. When it ends, its process group is killed.
3. Each is recorded with its start time. At the next start the recorded ones that still live are ended, and the members
   of their sessions. A process id that now belongs to somebody else has another start time, and is left alone.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from localhub.agent import proc
from localhub.agent.environment import OWNER
from localhub.state import write_atomic

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class Records:
    """The processes started and not known to have ended, kept in a file."""

    def __init__(self, path: Path, owner: str) -> None:
        self._path, self._owner = path, owner
        self._living: dict[str, tuple[int, str]] = {}

    def add(self, name: str, pid: int) -> None:
        """A process was started."""
        started = proc.started(pid)
        if started is not None:
            self._living[name] = (pid, started)
            self._save()

    def remove(self, name: str) -> None:
        """It has ended."""
        if self._living.pop(name, None):
            self._save()

    def pid(self, name: str) -> int | None:
        """The process that was recorded under a name, if it still lives."""
        pid, started = self._load().get(name, (0, ""))
        return pid if pid and proc.started(pid) == started else None

    def end_leftovers(self, *, grace_s: float = 2.0) -> list[str]:
        """End what an earlier run left; the names of what was found. Call before anything is started."""
        found: dict[str, list[int]] = {}
        recorded = self._load()
        for name, (pid, started) in recorded.items():
            living = proc.started(pid)
            if living is not None and living != started:
                continue  # the id is somebody else's now
            leader = [pid] if living == started else []
            members = [
                other
                for other in proc.session(pid)
                if other != pid and proc.environment(other).get(OWNER) == self._owner
            ]
            if leader or members:
                found[name] = leader + members
        end([pid for pids in found.values() for pid in pids], grace_s=grace_s)
        if recorded:
            self._living.clear()
            self._save()
        return list(found)

    def _load(self) -> dict[str, tuple[int, str]]:
        try:
            document = json.loads(self._path.read_bytes())
            if document["boot"] != _boot():
                return {}  # a reboot ends everything
            return {name: (int(pid), str(started)) for name, (pid, started) in document["living"].items()}
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError):
            return {}  # written atomically, so not by us: nothing in it can be trusted

    def _save(self) -> None:
        write_atomic(self._path, json.dumps({"boot": _boot(), "living": self._living}).encode())


def end(pids: list[int], *, grace_s: float) -> None:
    """SIGTERM, and SIGKILL for what still lives after `grace_s` seconds. Blocks; for start and stop only."""
    starts = {pid: proc.started(pid) for pid in pids}
    for pid in pids:
        _signal(pid, signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    while time.monotonic() < deadline and any(
        started and proc.started(pid) == started for pid, started in starts.items()
    ):
        time.sleep(0.02)
    for pid, started in starts.items():
        if started and proc.started(pid) == started:
            _signal(pid, signal.SIGKILL)


def dies_with_parent(death: signal.Signals) -> Callable[[], None] | None:
    """What a new process runs before its program, so that the kernel sends it `death` when this process dies.

    It takes no lock and imports nothing (everything is resolved here), which is what makes it safe between fork and
    exec. None where the system has no such thing.
    """
    if _LIBC is None:
        return None
    prctl, parent, number = _LIBC.prctl, os.getpid(), int(death)

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:  # the parent died before the kernel was asked
            os.kill(os.getpid(), signal.SIGKILL)

    return ask


def adopt_orphans() -> None:
    """Become the parent of whatever below this process loses its own (PR_SET_CHILD_SUBREAPER, Linux)."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_adopted(known: set[int], owner: str) -> list[int]:
    """Kill the children of this process that are not `known` and bear our mark, reap those that have ended; their ids.

    For a process that starts nothing but what it knows: whatever else is its child, it has adopted.
    """
    ended = []
    for pid in proc.children(os.getpid()):
        facts = proc.stat(pid)
        if pid in known or facts is None:
            continue
        if facts.state != "Z":
            if proc.environment(pid).get(OWNER) != owner:
                continue
            _signal(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
        ended.append(pid)
    return ended


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _boot() -> str:
    file = proc.PROC / "sys" / "kernel" / "random" / "boot_id"
    return file.read_text(encoding="ascii").strip() if file.exists() else ""
