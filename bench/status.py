"""Whether looking at the gateway slows its alerts, and whether status' memory stays where it is."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from bench._manifest import least_manifest
from bench.claim import Claim
from devices.line import ROOT, Line

LISTENERS = 20
REQUESTS_PER_S = 50
ALERTS_PER_S = 10
TURN_S = 10.0  # quiet and visited by turns, so that whatever else the machine does meets both alike


def run(*, quick: bool) -> dict[str, Claim]:
    """p99 of alerts while 20 listen and 50 requests a second are answered, against p99 while nobody looks."""
    turns = 6 if quick else 20
    with tempfile.TemporaryDirectory(prefix="status-") as text, _line(Path(text)) as line:
        line.wait("the first alerts", lambda: len(line.api("/api/v1/alerts", limit=50)["alerts"]) > 20)
        spans: list[tuple[bool, float, float]] = []
        memory: list[float] = []
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
    p99 = {
        visited: float(
            np.percentile(
                [ms for at, ms in latencies for who, begin, end in spans if who is visited and begin <= at < end], 99
            )
        )
        for visited in (False, True)
    }
    half = len(memory) // 2
    grown = (max(memory[half:]) - max(memory[:half])) / 1e6
    peer = f"quiet {p99[False]:.1f} ms, visited {p99[True]:.1f} ms"
    return {
        "alert_p99_with_load": Claim(p99[True] / p99[False], "times", 1.1, 1.0, peer, lower_is_better=True),
        "memory_growth_mb": Claim(grown, "MB", 8, 1, f"{memory[-1] / 1e6:.0f} MB at the end", lower_is_better=True),
    }


def _line(folder: Path) -> Line:
    """One module that raises alerts, and status."""
    manifest = least_manifest(("source", "status"))
    hub = manifest["modulesContent"]["$edgeHub"]["properties.desired"]
    sink = 'INTO BrokeredEndpoint("/modules/status/inputs/alerts")'
    hub["routes"] = {
        "alerts": {
            "route": f"FROM /messages/modules/source/outputs/alerts {sink}",
            "priority": 0,
            "timeToLiveSecs": 60,
        }
    }
    (folder / "deployment.json").write_text(json.dumps(manifest), encoding="utf-8")
    own = 'MILLWATCH_STATE = "${MODULE_STATE}", MILLWATCH_VIEW_PORT = "0"'
    (folder / "localhub.toml").write_text(
        f'[modules.source]\ncommand = ["{sys.executable}", "-m", "bench._alerts"]\nfolder = "{ROOT}"\n'
        f'env = {{ {own}, BENCH_RATE = "{ALERTS_PER_S}" }}\n'
        f'[modules.status]\ncommand = ["{sys.executable}", "-m", "modules.status"]\nfolder = "{ROOT}"\n'
        f'env = {{ {own}, MILLWATCH_STATUS_PORT = "${{MILLWATCH_STATUS_PORT}}",'
        f' MILLWATCH_AGENT_METRICS = "${{AGENT_METRICS}}", OPENBLAS_NUM_THREADS = "1", MALLOC_ARENA_MAX = "2" }}\n',
        encoding="utf-8",
    )
    return Line(
        state=folder / "state",
        address="127.32.1.9",
        manifest=folder / "deployment.json",
        config=folder / "localhub.toml",
        leaves=[],
        log=folder / "said",
    )


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
