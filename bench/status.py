"""Whether looking at the gateway slows its alerts, and whether status' memory stays where it is.

Three arms by turns: nobody looks; visitors look at status; the same visitors look at a server that only repeats status'
answers (`_bare`). The last says what of the second is the visitors' being on the same machine; no claim is made of it.
A round is a turn of each. On a machine that its host lends to others, too, p99 says above all how much it just did so:
the rounds with the least of that count.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
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
TURN_S = 5.0  # the arms by turns, so that whatever else the machine does meets all alike
CALM = 0.01  # of the processors' time, which the host may have given away in a round


@dataclass(frozen=True, slots=True)
class _Round:
    """Where its turns lie, by arm (Unix seconds), how calm the machine was, and how large status is after each.

    `loaded`: the visitors got so much that they were a load; they stand back, and a busy machine leaves them nothing.
    """

    spans: dict[str, tuple[float, float]]
    loaded: bool
    stolen: float
    overshoots: list[float]
    resident: list[float]

    @property
    def calm(self) -> bool:
        """Whether it counts before others."""
        return self.loaded and self.stolen <= CALM

    def over(self, latencies: list[tuple[float, float]], arm: str) -> list[float]:
        """The latencies, in ms, of the alerts in the turn of an arm."""
        begin, end = self.spans[arm]
        return [ms for at, ms in latencies if begin <= at < end]


def run(*, quick: bool) -> dict[str, Claim]:
    """p99 of alerts while 20 listen and 50 requests a second are answered, against p99 while nobody looks."""
    wanted, most = (4, 4) if quick else (24, 48)
    rounds: list[_Round] = []
    with tempfile.TemporaryDirectory(prefix="status-") as text, _line(Path(text)) as line:
        line.wait("the first alerts", lambda: len(line.api("/api/v1/alerts", limit=50)["alerts"]) >= 50)
        with _bare(line.page_port) as bare:
            while len(rounds) < most and sum(each.calm for each in rounds) < wanted:
                rounds.append(_round(line.page_port, bare, len(rounds)))
        latencies = _latencies(line)
    calm = sorted((each for each in rounds if each.loaded), key=lambda each: each.stolen)[:wanted]
    if not calm:
        raise RuntimeError("the visitors were no load in any round: this machine is too busy to measure on")
    found = {arm: [ms for each in calm for ms in each.over(latencies, arm)] for arm in ARMS}
    p50, p99 = ({arm: float(np.percentile(each, share)) for arm, each in found.items()} for share in (50, 99))
    memory = [size for each in rounds for size in each.resident]
    half = len(memory) // 2
    grown = (max(memory[half:]) - max(memory[:half])) / 1e6
    said = ", ".join(f"{arm} {p99[arm]:.1f} ms (median {p50[arm]:.1f}, {len(found[arm])} alerts)" for arm in ARMS)
    late = float(np.percentile([ms for each in calm for ms in each.overshoots], 99))
    peer = (
        f"{said}; control {p99['control'] / p99['quiet']:.2f} times; {len(calm)} of {len(rounds)} rounds, with at most"
        f" {100 * calm[-1].stolen:.1f} % of the time stolen; a sleep beside them overshot by {late:.1f} ms at p99"
    )
    return {
        "alert_p99_with_load": Claim(p99["visited"] / p99["quiet"], "times", 1.1, 1.0, peer, lower_is_better=True),
        "memory_growth_mb": Claim(grown, "MB", 8, 1, f"{memory[-1] / 1e6:.0f} MB at the end", lower_is_better=True),
    }


def _round(page: int, bare: int, number: int) -> _Round:
    """A turn of each arm; another one is the first each time."""
    spans: dict[str, tuple[float, float]] = {}
    resident: list[float] = []
    loaded = True
    with beside() as noise:
        for turn in range(len(ARMS)):
            arm = ARMS[(number + turn) % len(ARMS)]
            began = time.time()
            if arm == "quiet":
                time.sleep(TURN_S)
            else:
                loaded &= _visit(page if arm == "visited" else bare)
            spans[arm] = began + 1.0, time.time()  # the first second is that of coming and going
            resident.append(_resident(page))
        return _Round(spans, loaded, noise.stolen, noise.overshoots, resident)


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


def _visit(port: int) -> bool:
    """Whether the visitors were a load."""
    command = [sys.executable, "-m", "bench._visitors", str(port), str(LISTENERS), str(REQUESTS_PER_S), str(TURN_S)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, start_new_session=True)
    answers, events = map(int, done.stdout.split())
    return answers >= 0.8 * REQUESTS_PER_S * TURN_S and events >= 0.5 * LISTENERS * ALERTS_PER_S * TURN_S


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
