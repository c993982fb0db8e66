"""A real vibration module under localhub is killed with SIGKILL, or stopped: what it had learned is still there."""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from localhub.testing import Captured, Hub, running, write_manifest
from modules.common.messages import SENML, Reading, new_id, rfc3339, senml
from modules.vibration.outgoing import utc

ROOT = Path(__file__).resolve().parents[3]
SETTINGS = {"snapshot_every": 0.5, "aggregation": {"grace": 3600}, "reporting": {"every": 1, "sample_share": 0}}


def _send(hub: Hub, seq: int, values: list[float], begin: float) -> None:
    readings = [Reading("press1/x", value, begin + place, "m/s2") for place, value in enumerate(values)]
    properties = {"kind": "readings", "source": "press1", "seq": str(seq), "time": rfc3339(utc(begin))}
    hub.send("vibration/readings", senml.encode(readings), {**properties, "$.mid": new_id(), "$.ct": SENML})


def _readings(hub: Hub) -> int:
    return int(hub.call("vibration", "getStatus").payload["facts"]["readings"])


def _windows(captured: Captured) -> list[dict[str, Any]]:
    return [message.json["columns"] for message in captured.all if message.json.get("of") == "readings"]


@pytest.mark.parametrize("kill", [True, False])
def test_after_a_kill_it_goes_on_with_what_it_knew(tmp_path: Path, *, kill: bool) -> None:
    manifest = write_manifest(
        tmp_path,
        modules={"vibration": [sys.executable, "-m", "modules.vibration"]},
        routes={"up": "FROM /messages/modules/vibration/outputs/* INTO $upstream"},
        desired={"vibration": {"settings": SETTINGS}},
    )
    environment = {"PYTHONPATH": str(ROOT), "MILLWATCH_STATE": str(tmp_path), "MILLWATCH_VIEW_PORT": "0"}
    rng = np.random.default_rng(1)
    # Up to the middle of a minute that lies a little in the past.
    begin = time.time() // 60 * 60 - 600.0
    with running(manifest, environment=environment) as hub:
        hub.until(lambda: hub.reported("vibration").get("settings", {}).get("ok"), within_s=60)
        for seq in range(15):
            _send(hub, seq, rng.normal(20, 1, 10).tolist(), begin + 10 * seq)
        hub.until(lambda: _readings(hub) == 150, within_s=60)
        judged, snapshot = time.time(), tmp_path / "vibration.snapshot"
        if kill:
            hub.until(lambda: snapshot.exists() and snapshot.stat().st_mtime > judged, within_s=60)
        alerts, windows = hub.watch("vibration/alerts"), hub.watch("vibration/windows")
        hub.restart("vibration", kill=kill)
        hub.wait_connected("vibration")
        # Message 15 was lost on the way. A hundred readings have been learnt, so five beyond them are enough.
        _send(hub, 16, [40.0] * 5 + rng.normal(20, 1, 105).tolist(), begin + 160)
        alert = alerts.wait(1, within_s=60)[0].json
        assert (alert["rule"], alert["state"], alert["source"]) == ("deviation", "raised", "press1/x")
        assert alert["sampled"] == rfc3339(utc(begin + 164))
        hub.until(lambda: len(_windows(windows)) >= 2, within_s=60, what="two windows")
        first, second = _windows(windows)[:2]
        assert (first["start"] - begin, first["partial"], first["gaps"], first["count"]) == (120, True, 1, 50)
        assert (second["start"] - begin, second["partial"], second["gaps"], second["count"]) == (180, False, 0, 60)
