"""Whether looking at the gateway slows its alerts, and whether status' memory stays where it is.

Three arms by turns: nobody looks; visitors look at status; the same visitors look at a server that only repeats status'
answers (`_bare`). The last says what of the second is the visitors' being on the same machine; no claim is made of it.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from bench._manifest import alerting_line
from bench._noise import beside
from bench.claim import Claim
from devices.line import ROOT, Line

LISTENERS = 20
REQUESTS_PER_S = 50
ALERTS_PER_S = 20
ARMS = ("quiet", "visited", "control")
TURN_S = 5.0  # the arms by turns, so that whatever else the machine does meets both alike


def run(*, quick: bool) -> dict[str, Claim]:
    """p99 of alerts while 20 listen and 50 requests a second are answered, against p99 while nobody looks."""
    turns = 12 if quick else 60
    with tempfile.TemporaryDirectory(prefix="status-") as text, _line(Path(text)) as line:
        line.wait("the first alerts", lambda: len(line.api("/api/v1/alerts", limit=50)["alerts"]) >= 50)
        spans: list[tuple[str, float, float]] = []
        memory: list[float] = []
        with _bare(line.page_port) as bare, beside() as noise:
            for turn in range(turns):
                arm = ARMS[turn % len(ARMS)]
                began = time.time()
                if arm == "quiet":
                    time.sleep(TURN_S)
                else:
                    _visit(line.page_port if arm == "visited" else bare)
                spans.append((arm, began + 1.0, time.time()))  # the first second is that of coming and going
                memory.append(_resident(line.page_port))
        latencies = _latencies(line)
    found = {
        arm: [ms for at, ms in latencies for who, begin, end in spans if who == arm and begin <= at < end]
        for arm in ARMS
    }
    p50, p99 = ({arm: float(np.percentile(each, share)) for arm, each in found.items()} for share in (50, 99))
    half = len(memory) // 2
    grown = (max(memory[half:]) - max(memory[:half])) / 1e6
    said = ", ".join(f"{arm} {p99[arm]:.1f} ms (median {p50[arm]:.1f}, {len(found[arm])} alerts)" for arm in ARMS)
    peer = f"{said}; control {p99['control'] / p99['quiet']:.2f} times; {noise}"
    return {
        "alert_p99_with_load": Claim(p99["visited"] / p99["quiet"], "times", 1.1, 1.0, peer, lower_is_better=True),
        "memory_growth_mb": Claim(grown, "MB", 8, 1, f"{memory[-1] / 1e6:.0f} MB at the end", lower_is_better=True),
    }


def _line(folder: Path) -> Line:
    """One module that raises alerts, and status."""
    environment = {
        "MILLWATCH_STATUS_PORT": "${MILLWATCH_STATUS_PORT}",
        "MILLWATCH_AGENT_METRICS": "${AGENT_METRICS}",
        "OPENBLAS_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
    }
    source = {"BENCH_RATE": str(ALERTS_PER_S)}
    return alerting_line(folder, "127.32.1.9", "status", source=source, environment=environment)


@contextlib.contextmanager
def _bare(port: int) -> Iterator[int]:
    """Run the control beside the block; its port."""
    command = [sys.executable, "-m", "bench._bare", str(port), str(ALERTS_PER_S)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


def _visit(port: int) -> None:
    command = [sys.executable, "-m", "bench._visitors", str(port), str(LISTENERS), str(REQUESTS_PER_S), str(TURN_S)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, start_new_session=True)
    answers, events = map(int, done.stdout.split())
    if answers < 0.8 * REQUESTS_PER_S * TURN_S or events < 0.5 * LISTENERS * ALERTS_PER_S * TURN_S:
        raise RuntimeError(f"the visitors got {answers} answers and {events} events: that is no load")


def _latencies(line: Line) -> list[tuple[float, float]]:
    """When each alert was received (Unix seconds), and its latency in ms."""
    found: list[tuple[float, float]] = []
    query: dict[str, Any] = {"limit": 1000}
    while True:
        page = line.api("/api/v1/alerts", **query)
        found += [(datetime.fromisoformat(each["received"]).timestamp(), each["latency_ms"]) for each in page["alerts"]]
        if page["next"] is None:
            return found
        query["cursor"] = page["next"]


def _resident(port: int) -> float:
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10, trust_env=False).text
    (line,) = [each for each in text.splitlines() if each.startswith("process_resident_memory_bytes")]
    return float(line.rpartition(" ")[2])
