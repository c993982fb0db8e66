"""What the five modules take from a gateway: memory at the design load, CPU when there is nothing to do.

Memory is PSS summed over the modules' processes: pages that several share are counted once. Processes of the same
Python that run beside the line (localhub's own, another test) take a share of its libraries off the sum.
"""

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.claim import Claim
from devices.line import MANIFEST, ROOT, Line

LOADED_S = 600.0  # design.md: after ten minutes
SETTLE_S = 20.0  # after the first heartbeats: connected, twins read, snapshots written


def pss_mb(*, seconds: float) -> float:
    """Megabytes of all modules after `seconds` of 10,000 sensors at 1 Hz, bearings and a camera with defects."""
    with tempfile.TemporaryDirectory(prefix="footprint-") as folder:
        line = Line(
            state=Path(folder) / "state",
            address="127.78.0.1",
            leaves=["concentrator", "bearings"],
            log=Path(folder) / "log",
        )
        with line:
            line.wait_ready()
            time.sleep(seconds)
            modules = _modules(line, pss=1)
            _all_run(modules)
            return float(sum(each["pss"] for each in modules) / 1e6)


def idle_percent(*, seconds: float) -> float:
    """Percent of a core that all modules use together with no leaf device, no camera and no message but heartbeats."""
    with tempfile.TemporaryDirectory(prefix="footprint-") as folder:
        manifest = Path(folder) / "deployment.json"
        manifest.write_text(json.dumps(_without_camera()), encoding="utf-8")
        line = Line(
            state=Path(folder) / "state",
            address="127.78.0.2",
            manifest=manifest,
            config=ROOT / "localhub.toml",
            leaves=[],
            log=Path(folder) / "log",
        )
        with line:
            line.wait_ready()
            time.sleep(SETTLE_S)
            before, began = _modules(line), time.monotonic()
            time.sleep(seconds)
            after, took = _modules(line), time.monotonic() - began
            _all_run(after)
            used = sum(each["cpu_s"] for each in after) - sum(each["cpu_s"] for each in before)
            return float(100 * used / took)


def _without_camera() -> dict[str, Any]:
    """The manifest with a camera module that is told of no camera; images are named only, for these are processes."""
    document: dict[str, Any] = json.loads(MANIFEST.read_text(encoding="utf-8"))
    content = document["modulesContent"]
    for name, module in content["$edgeAgent"]["properties.desired"]["modules"].items():
        module["settings"]["image"] = f"{name}:bench"
    content["camera"]["properties.desired"]["settings"]["cameras"] = {}
    return document


def _modules(line: Line, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = line.control("agent", "/status", **query)["modules"]
    return found


def _all_run(modules: list[dict[str, Any]]) -> None:
    bad = [each["name"] for each in modules if each["state"] != "running" or each["restarts"]]
    if bad:
        raise AssertionError(f"not running as they should: {', '.join(bad)}")


def run(*, quick: bool) -> dict[str, Claim]:
    """Measure both, one after the other."""
    memory = pss_mb(seconds=60.0 if quick else LOADED_S)
    idle = idle_percent(seconds=20.0 if quick else 120.0)
    return {
        "pss_mb": Claim(memory, "MB", 400, 220, "none: five processes on this machine", lower_is_better=True),
        "idle_cpu": Claim(idle, "% of a core", 10, 2, "none: five processes on this machine", lower_is_better=True),
    }
