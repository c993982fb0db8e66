"""What the kernel says of a process and its children: /proc on Linux, `ps` elsewhere (start times only)."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
HAS_PROC = (PROC / "self" / "stat").exists()
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Stat:
    """The fields of /proc/PID/stat that are used here (proc(5)). CPU in seconds, its ended children's included."""

    pid: int
    state: str
    parent: int
    session: int
    started: str
    cpu_s: float
    rss: int


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds, bytes of memory and of disk traffic of a process with its children; `pss` only if asked for."""

    cpu_s: float = 0.0
    rss: int = 0
    pss: int | None = None
    processes: int = 0
    read_bytes: int = 0
    written_bytes: int = 0
    network_in: int = 0
    network_out: int = 0


def stat(pid: int) -> Stat | None:
    """Facts of one process; None when there is none (or no /proc)."""
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()  # the command in brackets may itself hold blanks and brackets
    return Stat(
        pid=pid,
        state=fields[0],
        parent=int(fields[1]),
        session=int(fields[3]),
        started=fields[19],
        cpu_s=sum(int(field) for field in fields[11:15]) / _TICKS,
        rss=int(fields[21]) * _PAGE,
    )


def started(pid: int) -> str | None:
    """When a process started, as an opaque text that tells it from a later one of the same id; None when it is gone."""
    if HAS_PROC:
        facts = stat(pid)
        return facts.started if facts and facts.state not in "ZX" else None
    answer = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return answer.stdout.strip() or None


def age(pid: int) -> float:
    """Seconds since a process was started; 0 for one that is gone."""
    facts = stat(pid)
    return 0.0 if facts is None else max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - int(facts.started) / _TICKS)


def children(pid: int) -> list[int]:
    """The direct children of a process."""
    try:
        tasks = list((PROC / str(pid) / "task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text(encoding="ascii").split()]
    except OSError:
        return []


def tree(pid: int) -> list[int]:
    """A process and everything below it."""
    found, waiting = [], [pid]
    while waiting:
        here = waiting.pop()
        found.append(here)
        waiting.extend(children(here))
    return found


def usage(pid: int, *, pss: bool = False) -> Usage:
    """CPU and memory of a process tree; `pss` costs the kernel about a millisecond a process."""
    stats = [facts for member in tree(pid) if (facts := stat(member))]
    disk = [storage(facts.pid) for facts in stats]
    network_in, network_out = network(pid)
    return Usage(
        cpu_s=sum(facts.cpu_s for facts in stats),
        rss=sum(facts.rss for facts in stats),
        pss=sum(proportional(facts.pid) for facts in stats) if pss else None,
        processes=len(stats),
        read_bytes=sum(read for read, _ in disk),
        written_bytes=sum(written for _, written in disk),
        network_in=network_in,
        network_out=network_out,
    )


def storage(pid: int) -> tuple[int, int]:
    """Bytes that a process read from the disk and wrote to it (proc(5), io); 0 where it cannot be read."""
    try:
        text = (PROC / str(pid) / "io").read_text(encoding="ascii")
    except OSError:
        return 0, 0
    facts = dict(line.split(": ") for line in text.splitlines())
    return int(facts["read_bytes"]), int(facts["write_bytes"])


def network(pid: int) -> tuple[int, int]:
    """Bytes in and out of a network namespace of its own, as a container has; 0 for one that shares the machine's."""
    own = PROC / str(pid)
    try:
        if (own / "ns" / "net").readlink() == (PROC / "self" / "ns" / "net").readlink():
            return 0, 0
        return traffic((own / "net" / "dev").read_text(encoding="ascii"))
    except OSError:
        return 0, 0


def traffic(text: str) -> tuple[int, int]:
    """Bytes in and out of all interfaces but the loopback, from /proc/net/dev (proc(5))."""
    received = sent = 0
    for line in text.splitlines()[2:]:  # below two lines of heads
        name, _, counters = line.partition(":")
        if name.strip() != "lo":
            figures = counters.split()
            received += int(figures[0])
            sent += int(figures[8])
    return received, sent


def proportional(pid: int) -> int:
    """PSS in bytes: memory with shared pages counted by share (proc(5), smaps_rollup); 0 when it cannot be read."""
    try:
        text = (PROC / str(pid) / "smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:"))


def descends(pid: int, ancestor: int) -> bool:
    """Whether `pid` is `ancestor`, below it, or in the session it leads."""
    here = pid
    while here > 1:
        facts = stat(here)
        if here == ancestor or (facts and facts.session == ancestor):
            return True
        if facts is None:
            return False
        here = facts.parent
    return False


def session(leader: int) -> Iterator[int]:
    """The living members of a session, whether its leader lives or not."""
    for entry in PROC.iterdir() if HAS_PROC else ():
        if entry.name.isdecimal():
            facts = stat(int(entry.name))
            if facts and facts.session == leader and facts.state not in "ZX":
                yield facts.pid


def environment(pid: int) -> dict[str, str]:
    """The environment a process was started with; empty when it may not be read."""
    try:
        data = (PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return {}
    return dict(part.split("=", 1) for part in os.fsdecode(data).split("\0") if "=" in part)
