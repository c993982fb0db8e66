"""Starts the line on a data set, waits until it has played and everything has arrived, and gathers the figures."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from devices.dataset import Dataset, PictureSet, choose, discover
from devices.line import Line, LineError
from devices.playback.report import Figures
from devices.playback.truth import bearing_verdicts, model_alerts, passage, picture_scores
from devices.replay import load

# What modules send to the cache, by output; the ids of these must all arrive.
FOR_THE_CLOUD = frozenset({"alerts", "windows", "scores", "samples"})
PICTURES_PER_SECOND = 8.0
SETTLE_S = 90.0


NO_CAMERAS: dict[str, object] = {"modulesContent": {"camera": {"properties.desired.settings": {"cameras": {}}}}}


def cameras(sets: Sequence[PictureSet], *, repeat: bool) -> dict[str, object]:
    """Desired properties that let the camera module play these pictures, a camera for each set."""
    playing = {
        each.name: {
            "source": {
                "type": "folder",
                "path": str(each.root),
                "rate_hz": PICTURES_PER_SECOND,
                "repeat": repeat,
                "files": [file.path for file in each.files],
            },
            "gate": {"mode": "every"},
        }
        for each in sets
    }
    return {"settings": {"cameras": playing}}


class Playback:
    """One run of the line on one data set."""

    def __init__(
        self, data: Path, state: Path, *, address: str, page_port: int | None, once: bool, pictures: int
    ) -> None:
        self.data = data.resolve()
        self.dataset: Dataset = discover(self.data)
        self.sets = choose(self.dataset.pictures, pictures)
        if not self.dataset.recordings and not self.sets:
            raise FileNotFoundError(f"{data} holds neither recordings nor pictures")
        self._recordings, self.left_out = load(self.data) if self.dataset.recordings else ({}, Counter())
        self._ledger = state / "ledger"
        layer = state / "playback-layer.json"
        layer.parent.mkdir(parents=True, exist_ok=True)
        layer.write_text(json.dumps(NO_CAMERAS), encoding="utf-8")
        self._repeat = not once
        self.line = Line(
            state=state,
            address=address,
            page_port=page_port,
            layers=[layer],
            leaves=[],
            environment={
                "MILLWATCH_REPLAY": str(self.data),
                "MILLWATCH_REPLAY_ONCE": "--once" if once else "--speed=1",
                "MILLWATCH_LEDGER": str(self._ledger),
            },
        )

    def begin(self) -> None:
        """Start to play, once every module is there: what waits for a module to start is no latency of the line."""
        self.line.wait_ready()
        if self.sets:
            self._command("twin", "set", "camera", json.dumps(cameras(self.sets, repeat=self._repeat)))
        if self._recordings:
            self._command("start", "replay")

    def _command(self, *words: str) -> None:
        done = self.line.command(*words)
        if done.returncode:
            raise LineError(f"localhub {' '.join(words[:3])} failed: {done.stderr.strip()}")

    def wait_played(self) -> None:
        """Wait for the end of every recording and every picture folder."""
        longest = max((each.samples.size / each.rate_hz for each in self._recordings.values()), default=0.0)
        shown = max((len(each.files) for each in self.sets), default=0) / PICTURES_PER_SECOND
        self.line.wait("end of the playback", self._played, timeout_s=60 + 3 * max(longest, shown), every_s=0.5)

    def _played(self) -> bool:
        leaves = {each["name"]: each for each in self.line.control("agent", "/status")["leaves"]}
        if self._recordings:
            if leaves["replay"]["state"] not in {"stopped", "failed", "finished"}:
                return False
            # What has fallen silent is summed up a few seconds later.
            asked = {"module": "vibration", "name": "getStatus", "timeout_s": 10}
            if self.line.control("hub", "/method", asked)["payload"]["facts"]["open_summaries"]:
                return False
        if not self.sets:
            return True
        shown = self._health("camera").get("cameras", {})
        return all(shown.get(each.name, {}).get("state") == "finished" for each in self.sets)

    def _health(self, module: str) -> dict[str, Any]:
        for each in self.line.api("/api/v1/modules")["modules"]:
            if each["name"] == module:
                facts: dict[str, Any] = each.get("facts") or {}
                return facts
        return {}

    def sent_ids(self) -> set[str]:
        """The ids that the modules gave out for the cloud so far, from their ledgers."""
        found = set()
        for path in self._ledger.glob("*.ids"):
            if path.stem == "cache":
                continue  # it passes on ids of others
            for line in path.read_text(encoding="ascii").splitlines():
                output, _, identity = line.partition(" ")
                if output in FOR_THE_CLOUD:
                    found.add(identity)
        return found

    def wait_arrived(self) -> tuple[set[str], list[dict[str, Any]]]:
        """Wait until the hub's queues are empty and every id given out has arrived.

        Gives the ids given out and all arrivals; after SETTLE_S also where some are still missing.
        """
        end = time.monotonic() + SETTLE_S
        arrivals: list[dict[str, Any]] = []
        quiet = 0
        while True:
            waiting = sum(queue["depth"] for queue in self.line.control("hub", "/status")["queues"])
            sent = self.sent_ids()
            arrivals += self.line.arrivals(arrivals[-1]["number"] if arrivals else 0)
            missing = sent - {each["message_id"] for each in arrivals}
            # Twice in a row: a message that a module just works on is neither queued nor given out yet.
            quiet = quiet + 1 if not waiting and not missing else 0
            if quiet >= 2 or time.monotonic() > end:
                return sent, arrivals
            time.sleep(0.5)

    def figures(self, sent: set[str], arrivals: Sequence[dict[str, Any]], seconds: float) -> Figures:
        """What the run has shown."""
        latency = self.line.api("/api/v1/latency")
        alerts = model_alerts(arrivals)
        labels = {name: each.label for name, each in self._recordings.items()}
        return Figures(
            verdicts=bearing_verdicts(alerts, labels),
            pictures=picture_scores(alerts, self.sets),
            passage=passage(sent, [each["message_id"] for each in arrivals]),
            bytes_in=self._bytes_in(),
            bytes_up=sum(each["size"] for each in arrivals),
            alerts=latency["count"],
            latency_p50=latency["p50_ms"],
            latency_p99=latency["p99_ms"],
            left_out=self.left_out,
            seconds=seconds,
        )

    def _bytes_in(self) -> int:
        """What the sensors sent in their own encoding: float32 samples and picture files."""
        waveforms = sum(each.samples.nbytes for each in self._recordings.values())
        return waveforms + sum((each.root / file.path).stat().st_size for each in self.sets for file in each.files)
