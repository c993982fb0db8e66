"""The real cache between a sending module and the cloud of a localhub: to be cut off, killed and counted."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from localhub.control.client import ControlError
from localhub.testing import Hub, running, write_manifest

ROOT = Path(__file__).resolve().parents[2]
WINDOW = 100  # records of a priority that may be under way, and come again after a crash
UPSTREAM = "FROM /messages/modules/cache/outputs/{} INTO $upstream"
_TELEMETRY = 'BrokeredEndpoint("/modules/cache/inputs/telemetry")'
ROUTES = {
    "in": "FROM /messages/modules/source/* WHERE kind <> 'health' INTO " + _TELEMETRY,
    **{name: UPSTREAM.format(name) for name in ("upstream0", "upstream1", "upstream2")},
}
# Starts the cache again at once when it was killed: edgeAgent would wait longer from kill to kill.
AGAIN = """
trap 'kill -TERM $child; wait $child; exit $?' TERM
while :; do
  "$0" -m modules.cache & child=$!
  echo $child > "$MILLWATCH_STATE/pid.new" && mv "$MILLWATCH_STATE/pid.new" "$MILLWATCH_STATE/pid"
  wait $child; [ $? = 137 ] || exit
done
"""


@dataclass(frozen=True, slots=True)
class Count:
    """What came of what was sent."""

    sent: int
    missing: int
    repeats: int
    reordered: int
    differing: int
    drained_per_s: float


class CacheLine:
    """Made by `cache_line`."""

    def __init__(self, hub: Hub, ledger: Path) -> None:
        self.hub = hub
        self._ledger = ledger
        self._state = hub.state.root / "modules" / "cache"

    def kill_cache(self) -> None:
        """SIGKILL; it is started again at once."""
        before = self._pid()
        os.kill(before, signal.SIGKILL)
        self.hub.until(lambda: self._pid() != before, 60, "another cache")

    def renew_token(self, module: str) -> None:
        """The module's token runs out; it comes back with another."""
        self.hub.wait_connected(module)
        self.hub.expire_tokens(module)

    def _pid(self) -> int:
        return int((self._state / "pid").read_text())

    def end(self) -> Count:
        """Stop sending, wait until all has come, and count."""
        self.hub.link("up")
        halted: dict[str, int] = {}
        self.hub.until(lambda: halted or halted.update(self._halt()), 60, "a source that has ended")
        noted = [line.split() for line in (self._ledger / "source.ids").read_text().splitlines()]
        ids = [message_id for output, message_id in noted if output in halted]
        assert len(ids) == sum(halted.values()), f"{len(ids)} given out, {halted} sent"
        began, before = time.monotonic(), len(self._arrived())
        self.hub.until(lambda: set(ids) <= self._arrived(), 240, "all that was sent in the cloud")
        seconds = time.monotonic() - began
        return self._count(ids, (len(set(ids)) - before) / seconds)

    def _halt(self) -> dict[str, int]:
        """What was sent, by output; nothing while the source is coming back to the hub."""
        try:
            return dict(self.hub.call("source", "halt", timeout_s=30).payload)
        except ControlError:
            return {}

    def _arrived(self) -> set[str]:
        return {each.system["messageId"] for each in self.hub.arrivals()}

    def _count(self, ids: list[str], drained_per_s: float) -> Count:
        first: dict[str, bytes] = {}
        last_seq: defaultdict[str, int] = defaultdict(lambda: -1)
        repeats = reordered = differing = 0
        for arrival in self.hub.arrivals():
            message_id = arrival.system["messageId"]
            if message_id in first:
                repeats += 1
                differing += arrival.body != first[message_id]
                continue
            first[message_id] = arrival.body
            source, seq = arrival.properties["source"], int(arrival.properties["seq"])
            reordered += seq < last_seq[source]
            last_seq[source] = max(seq, last_seq[source])
        return Count(len(ids), len(set(ids) - set(first)), repeats, reordered, differing, round(drained_per_s, 1))


@contextmanager
def cache_line(folder: Path, per_s: float) -> Iterator[CacheLine]:
    """Start it; the source sends `per_s` messages a second."""
    commands = {
        "source": [sys.executable, "-m", "tests.system.cache_source"],
        "cache": ["bash", "-c", AGAIN, sys.executable],
    }
    manifest = write_manifest(folder, commands, ROUTES)
    document = json.loads(manifest.read_text())
    for number, name in enumerate(("upstream0", "upstream1", "upstream2")):
        document["modulesContent"]["$edgeHub"]["properties.desired"]["routes"][name]["priority"] = number
    manifest.write_text(json.dumps(document))
    variables = {"MILLWATCH_STATE": "${MODULE_STATE}", "MILLWATCH_VIEW_PORT": "0", "PYTHONPATH": str(ROOT)}
    variables |= {"MILLWATCH_HUB_METRICS": "${HUB_METRICS}", "SOURCE_PER_S": str(per_s)}
    ledger = {"source": str(folder / "ledger"), "cache": ""}
    config = "".join(
        f"[modules.{name}]\ncommand = {json.dumps(command)}\nenv = {{ "
        + ", ".join(
            f"{key} = {json.dumps(value)}" for key, value in (variables | {"MILLWATCH_LEDGER": ledger[name]}).items()
        )
        + " }\n"
        for name, command in commands.items()
    )
    (folder / "localhub.toml").write_text(config)
    with running(manifest, wait_for=["cache", "source"]) as hub:
        yield CacheLine(hub, folder / "ledger")
