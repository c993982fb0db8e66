"""From an alert to the coil of a PLC, through localhub over TLS and its store."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench._farend import far_end
from bench._manifest import alerting_line
from bench._noise import beside
from bench.claim import Claim
from devices.line import free_port

RATE = 20  # alerts a second: each raise has its clear a twentieth of a second later
LEAST = 100


def _settings(port: int) -> dict[str, Any]:
    """Alarms with one coil, beside a mail server that does not answer."""
    mail = {"type": "email", "host": "127.0.0.1", "port": 9, "security": "none"}
    return {
        "rules": {"all": {"latch": False, "outputs": ["coil", "mail"]}},
        "outputs": {
            "coil": {"type": "modbus-tcp", "host": "127.0.0.1", "port": port, "address": "coil/0"},
            "mail": mail | {"sender": "a@example.com", "to": ["b@example.com"]},
        },
    }


def _times(path: Path, wanted: str) -> list[float]:
    rows = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return [float(row[0]) for row in rows if row[1:] == [wanted]]


def latencies(raised: Sequence[float], switched_on: Sequence[float]) -> list[float]:
    """Milliseconds from each alert to the next time its coil was switched on.

    One that came so late that the alert's end overtook it counts until the coil of a later alert. Raises RuntimeError
    when there is none.
    """
    on = np.asarray(switched_on)
    places = np.searchsorted(on, raised)
    if not len(on) or places[-1] == len(on):
        raise RuntimeError("the last alert never switched the coil on")
    return [float(each) for each in (on[places] - np.asarray(raised)) * 1000]


def run(*, quick: bool) -> dict[str, Claim]:
    """The 99th percentile of all alerts but the first, which come while the modules start."""
    seconds, port = (20.0 if quick else 90.0), free_port()
    with tempfile.TemporaryDirectory(prefix="alarms-") as text:
        folder = Path(text)
        raised, written = folder / "raised", folder / "written"
        source = {"BENCH_RATE": str(RATE), "BENCH_STATES": "raised,cleared", "BENCH_RESULT": str(raised)}
        line = alerting_line(folder, "127.32.1.5", "alarms", source=source, settings=_settings(port))
        with far_end("_coil.py", str(port), str(written)), line:
            line.wait("the first alarms", lambda: len(_times(written, "1")) >= 10, timeout_s=60)
            begun = time.time()
            with beside() as noise:
                time.sleep(seconds)
            ended = time.time() - 1.0  # the last are still under way
        chosen = [at for at in _times(raised, "raised") if begun <= at < ended]
        if len(chosen) < LEAST:
            raise RuntimeError(f"only {len(chosen)} alerts in {seconds:.0f} s: too few for a percentile")
        found = latencies(chosen, _times(written, "1"))
    p50, p99 = np.percentile(found, [50, 99])
    inside = "SDK, TLS and hub's store in it, mail dead"
    peer = f"{len(found)} alerts, median {p50:.1f} ms; {inside}; {noise}"
    return {"alert_to_relay_p99_ms": Claim(float(p99), "ms", 50, 15, peer, lower_is_better=True)}
