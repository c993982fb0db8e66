"""What reading 1,000 Modbus points at 1 Hz costs the sensors module, SDK, TLS and batches included."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from bench._farend import far_end
from bench.claim import Claim
from devices.line import free_port
from localhub.control.client import ControlError
from localhub.testing import Hub, running, write_manifest

ROOT = Path(__file__).resolve().parents[1]
POINTS = 1000
NEIGHBOURS = 50  # then a hole: a plant's registers are no single stretch
TICKS = os.sysconf("SC_CLK_TCK")


def _points() -> str:
    """The list: 1,000 float32, fifty neighbours and a hole of 20 registers at a time, each scaled."""
    lines = ["name,address,kind,order,scale,unit"]
    for number in range(POINTS):
        start = number * 2 + number // NEIGHBOURS * 20
        lines.append(f"hall/s{number:04},holding/{start},float32,CDAB,0.1,Cel")
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def _module(folder: Path, port: int) -> Iterator[Hub]:
    text = _points()
    (folder / "points.csv").write_text(text)
    wanted = {"file": "points.csv", "sha256": sha256(text.encode()).hexdigest()}
    source = {"type": "modbus-tcp", "host": "127.0.0.1", "port": port, "interval_s": 1.0, "point_list": wanted}
    manifest = write_manifest(
        folder,
        modules={"sensors": [sys.executable, "-m", "modules.sensors"]},
        routes={"readings": "FROM /messages/modules/sensors/outputs/readings INTO $upstream"},
        desired={"sensors": {"settings": {"sources": {"hall": source}}}},
    )
    environment = {"PYTHONPATH": str(ROOT), "MILLWATCH_STATE": str(folder), "MILLWATCH_VIEW_PORT": "0"}
    with running(manifest, environment=environment) as hub:
        yield hub


def _cpu_s(pid: int) -> float:
    """Processor seconds of a process so far: user and system (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _readings(hub: Hub) -> int:
    try:
        return int(hub.call("sensors", "getStatus").payload["facts"]["readings"])
    except ControlError:
        return 0  # connected, and not yet ready for methods


def run(*, quick: bool) -> dict[str, Claim]:
    """Read for a while; a module that reads less than it should is no measurement."""
    seconds, port = (10.0 if quick else 30.0), free_port()
    with (
        tempfile.TemporaryDirectory(prefix="sensors-") as folder,
        far_end("_modbus.py", str(port)),
        _module(Path(folder), port) as hub,
    ):
        hub.until(lambda: _readings(hub) >= 3 * POINTS, 60, "the first rounds")
        pid, before, begun = int(hub.module("sensors")["pid"]), _readings(hub), time.monotonic()
        cpu = _cpu_s(pid)
        time.sleep(seconds)
        cpu, elapsed = _cpu_s(pid) - cpu, time.monotonic() - begun
        per_s = (_readings(hub) - before) / elapsed
    if per_s < 0.9 * POINTS:
        raise RuntimeError(f"{per_s:.0f} readings/s of {POINTS} wanted")
    peer = f"{per_s:.0f} readings/s read in 20 requests, scaled, sent over TLS; the whole process"
    return {"modbus_cpu": Claim(cpu / elapsed * 100, "% of a core", 20, 5, peer, lower_is_better=True)}
