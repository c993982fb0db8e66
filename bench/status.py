"""Whether looking at the gateway slows its alerts, and whether status' memory stays where it is."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
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
TURN_S = 5.0  # quiet and visited by turns, so that whatever else the machine does meets both alike


def run(*, quick: bool) -> dict[str, Claim]:
    """p99 of alerts while 20 listen and 50 requests a second are answered, against p99 while nobody looks."""
    turns = 12 if quick else 40
    with tempfile.TemporaryDirectory(prefix="status-") as text, _line(Path(text)) as line:
        line.wait("the first alerts", lambda: len(line.api("/api/v1/alerts", limit=50)["alerts"]) > 20)
        spans: list[tuple[bool, float, float]] = []
        memory: list[float] = []
        with beside() as noise:
            for turn in range(turns):
                visited = turn % 2 == 1
                began = time.time()
                if visited:
                    _visit(line.page_port)
                else:
                    time.sleep(TURN_S)
                spans.append((visited, began + 1.0, time.time()))  # the first second is that of coming and going
                memory.append(_resident(line.page_port))
        latencies = _latencies(line)
    found = {
        visited: [ms for at, ms in latencies for who, begin, end in spans if who is visited and begin <= at < end]
        for visited in (False, True)
    }
    p99 = {visited: float(np.percentile(each, 99)) for visited, each in found.items()}
    p50 = {visited: float(np.percentile(each, 50)) for visited, each in found.items()}
    half = len(memory) // 2
    grown = (max(memory[half:]) - max(memory[:half])) / 1e6
    peer = (
        f"quiet {p99[False]:.1f} ms, visited {p99[True]:.1f} ms; medians {p50[False]:.1f} and {p50[True]:.1f} ms;"
        f" {len(found[False])} and {len(found[True])} alerts; {noise}"
    )
    return {
        "alert_p99_with_load": Claim(p99[True] / p99[False], "times", 1.1, 1.0, peer, lower_is_better=True),
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


def _visit(port: int) -> None:
    command = [sys.executable, "-m", "bench._visitors", str(port), str(LISTENERS), str(REQUESTS_PER_S), str(TURN_S)]
    said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    answers, events = int(said[0]), int(said[1])
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
