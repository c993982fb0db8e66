"""Fifty thousand gateways in one hub, through which `fleet status` pages with flat memory on both sides.

The cloud is localhub's own process with twins of the size that real ones have, written into its database; the command
is `python -m fleet status --format json`, whose output is counted. Ten times the gateways may not take more memory.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from bench.claim import Claim
from devices.line import ROOT
from localhub import certs
from localhub.cloud.database import open_database, transaction
from localhub.cloud.service.serving import login
from localhub.control.sockets import answers
from localhub.identity import Identities
from localhub.state import State

MODULES: Final = ("camera", "vibration", "inference", "cache", "status")
START_S: Final = 30.0


def run(*, quick: bool) -> dict[str, Claim]:
    """Memory at its peak with many gateways over that with a tenth; gateways a second."""
    many = 5_000 if quick else 50_000
    few = _measured(many // 10)
    most = _measured(many)
    return {
        "status_memory": Claim(
            most["command"] / few["command"], "", 1.15, 1.05, f"{many:,} gateways against {many // 10:,}, the command",
            lower_is_better=True,
        ),
        "cloud_memory": Claim(
            most["cloud"] / few["cloud"], "", 1.3, 1.1, f"{many:,} gateways against {many // 10:,}, localhub's cloud",
            lower_is_better=True,
        ),
        "status_per_s": Claim(many / most["seconds"], "gateways/s", 100, 500, f"peak {most['command'] / 1e6:.0f} MB"),
    }  # fmt: skip


def _measured(gateways: int) -> dict[str, float]:
    """Peaks of memory (bytes) of the command and of the cloud, and how long the command took."""
    with tempfile.TemporaryDirectory(prefix="bench-fleet-") as folder, _cloud(Path(folder), gateways) as (state, cloud):
        began = time.monotonic()
        text = f"{login(state)};CaFile={state.ca_certificate}"
        words = [sys.executable, "-m", "fleet", "status", "--format", "json", "--quiet", "--login", text]
        process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE)
        assert process.stdout is not None
        peak, line = 0.0, b""
        for number, line in enumerate(process.stdout):  # noqa: B007  the last line is looked at behind the loop
            if number % 500 == 0:
                peak = max(peak, _peak(process.pid))
        totals = json.loads(line)["totals"]
        process.stdout.close()
        if process.wait() or totals["gateways"] != gateways or totals["connected"] or totals["current"] != gateways:
            raise RuntimeError(f"status of {gateways} gateways came to {totals}")
        return {"command": peak, "cloud": _peak(cloud.pid), "seconds": time.monotonic() - began}


@contextmanager
def _cloud(root: Path, gateways: int) -> Iterator[tuple[State, subprocess.Popen[bytes]]]:
    """Localhub's cloud process, with so many synthetic gateways."""
    state = State.prepare(root / "s", address=f"127.44.{os.getpid() % 250}.1")
    certs.ensure(state)
    Identities.ensure(state.identities, state.gateway, [])
    _write(state, gateways)
    process = subprocess.Popen([sys.executable, "-m", "localhub.cloud", "--state", str(state.root)], cwd=ROOT)
    try:
        end = time.monotonic() + START_S
        while not (answers(state.cloud_socket) and (state.root / "cloud" / "service.port").exists()):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("localhub's cloud does not start")
            time.sleep(0.05)
        yield state, process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def _write(state: State, gateways: int) -> None:
    """Identities and twins as the cloud keeps them; the first gateway is the localhub's own, which runs nothing."""
    facts = json.dumps(
        {
            "generationId": "1",
            "status": "enabled",
            "statusReason": None,
            "authentication": {
                "symmetricKey": {"primaryKey": "a2V5", "secondaryKey": "a2V5"},
                "x509Thumbprint": {"primaryThumbprint": None, "secondaryThumbprint": None},
                "type": "sas",
            },
        }
    )
    database = open_database(state.cloud_db)
    with transaction(database):
        for number in range(gateways):
            name = state.gateway if number == 0 else f"plant-{number:06}"
            for module in ("", "$edgeAgent", "status"):
                row = (name, module, not module, facts, 1, json.dumps({"line": number % 20} if not module else {}), 1)
                database.execute("INSERT INTO identities VALUES (?,?,?,?,?,?,?,'{}','')", row)
            for module, desired, reported in (("$edgeAgent", *_agent()), ("status", {}, _status(number))):
                twin = (name, module, "{}", json.dumps(desired), 1, json.dumps(reported), 2)
                database.execute("INSERT INTO twins VALUES (?,?,?,?,?,?,?)", twin)
    database.close()


def _agent() -> tuple[dict[str, Any], dict[str, Any]]:
    desired = {name: {"type": "docker", "status": "running", "version": "0.1.0"} for name in MODULES}
    reported = {name: entry | {"runtimeStatus": "running", "exitCode": 0} for name, entry in desired.items()}
    status = {"code": 200, "description": ""}
    return {"modules": desired}, {"lastDesiredVersion": 1, "lastDesiredStatus": status, "modules": reported}


def _status(number: int) -> dict[str, Any]:
    since = "2026-01-02T03:04:05.678Z"
    return {
        "gateway": {
            "level": "ok",
            "headline": "Every machine runs as it should",
            "alerts": {"critical": number % 7 == 0, "warning": 1, "info": 2, "unhandled": 1},
            "link": {"edgeHub": {"state": "up", "since": since}, "cloud": {"state": "up", "since": since}},
            "queue": {"depth": number % 10, "oldest_s": 1, "hours_left": 200, "dropped": 0},
            "modules": {name: {"version": "0.1.0", "state": "pass"} for name in MODULES},
            "drift": {"bearing": 0.1, "tiles": 0.2},
        }
    }


def _peak(pid: int) -> float:
    """The most memory that a process has had, bytes (VmHWM of proc(5))."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(float(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("VmHWM"))
