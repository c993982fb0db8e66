"""From the sample to the alert, and from module to module: what waits, waits here."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench._manifest import least_manifest, line_in
from bench.claim import Claim
from devices.line import Line

LEAST_ALERTS = 20
FLUSH_MS = 5  # what has been read waits at most so long for its message


def alert_latencies_ms(*, seconds: float) -> list[float]:
    """From a reading's own time to its alert at status, while a concentrator sends 10,000 readings/s.

    The sensors are read at moments spread over their period and sent every 5 ms; what each waits for its message
    counts. The whole line runs. The latencies are status' own, of every alert about the concentrator's sensors.
    """
    with tempfile.TemporaryDirectory(prefix="latency-") as folder:
        line = Line(
            state=Path(folder) / "state",
            address="127.32.1.1",
            leaves=["concentrator"],
            environment={
                # A thousand sensors at 10 Hz: their baselines are learnt after 10 s. One alert a second is no storm.
                "MILLWATCH_SENSORS": "1000",
                "MILLWATCH_SENSOR_HZ": "10",
                "MILLWATCH_FLUSH_MS": str(FLUSH_MS),
                "MILLWATCH_FAULTS": "500",
                "MILLWATCH_FAULT_AFTER": "15",
                "MILLWATCH_FAULT_EVERY": "0.6",
            },
            log=Path(folder) / "said",
        )
        with line:
            line.wait_ready()
            time.sleep(seconds)
            alerts: list[dict[str, Any]] = line.api("/api/v1/alerts", source="hall/", limit=500)["alerts"]
    if len(alerts) < LEAST_ALERTS:
        raise RuntimeError(f"only {len(alerts)} alerts in {seconds:.0f} s: too few for a percentile")
    return [alert["latency_ms"] for alert in alerts]


def picture_p99_ms(*, count: int, rate: float) -> float:
    """From a module's send to the other module's handler: pictures of 20 to 200 KB, one after another."""
    with tempfile.TemporaryDirectory(prefix="pictures-") as text:
        modules = dict.fromkeys(("source", "sink"), "bench._pictures")
        return p99_ms(Path(text), "127.32.1.2", modules, count=count, rate=rate, patience_s=60)


def p99_ms(
    folder: Path,
    address: str,
    modules: Mapping[str, str],
    *,
    count: int,
    rate: float,
    patience_s: float,
    environment: Mapping[str, str] | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
) -> float:
    """Run modules (name -> package) in a row, and read the 99th percentile of the milliseconds that the last notes.

    They find BENCH_COUNT, BENCH_RATE and BENCH_RESULT in their environment, beside what is given; `settings` are
    desired properties. It waits `patience_s` seconds and four times what sending takes.
    """
    result = folder / "taken.json"
    own = {"BENCH_COUNT": str(count), "BENCH_RATE": str(rate), "BENCH_RESULT": str(result)}
    (folder / "localhub.toml").write_text(config(modules, {**own, **(environment or {})}), encoding="utf-8")
    (folder / "deployment.json").write_text(json.dumps(least_manifest(tuple(modules), settings)), encoding="utf-8")
    with line_in(folder, address) as line:
        line.wait("the last figures", result.exists, timeout_s=patience_s + 4 * count / rate)
    return float(np.percentile(json.loads(result.read_text(encoding="utf-8")), 99))


def config(modules: Mapping[str, str], environment: Mapping[str, str]) -> str:
    """Localhub's configuration: each module a process of the package given, with its own name as argument."""
    root = Path(__file__).resolve().parents[1]
    variables = "".join(f', {name} = "{value}"' for name, value in environment.items())
    return "".join(
        f'[modules.{name}]\ncommand = ["{sys.executable}", "-m", "{package}", "{name}"]\nfolder = "{root}"\n'
        f'env = {{ MILLWATCH_STATE = "${{MODULE_STATE}}", MILLWATCH_VIEW_PORT = "0"{variables} }}\n'
        for name, package in modules.items()
    )


def spread(latencies: Sequence[float]) -> str:
    """How many there are, and how they lie: of a hundred, one late alert is the 99th percentile."""
    p50, p90 = np.percentile(latencies, (50, 90))
    latest = ", ".join(f"{each:.0f}" for each in sorted(latencies)[-3:])
    return f"{len(latencies)} alerts: median {p50:.1f} ms, p90 {p90:.1f} ms, the three latest {latest} ms"


def run(*, quick: bool) -> dict[str, Claim]:
    """Both latencies at the 99th percentile."""
    alerts = alert_latencies_ms(seconds=50 if quick else 200)
    picture = picture_p99_ms(count=100 if quick else 600, rate=20)
    return {
        "alert_p99_ms": Claim(float(np.percentile(alerts, 99)), "ms", 50, 15, spread(alerts), lower_is_better=True),
        "picture_p99_ms": Claim(picture, "ms", 20, 5, lower_is_better=True),
    }
