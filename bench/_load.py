"""The leaf device of the line bench: sends a plant's readings as fast as the line takes them without piling up.

Started by localhub (``python -m bench._load METRICS_URL``). It keeps few messages waiting in the hub: what it reaches
is what the line sustains, and queues stay flat.
"""

import json
import re
import sys
import time
import urllib.request
from datetime import UTC, datetime

import numpy as np

from bench._plant import Plant
from devices.leaf import Leaf, stop_on_signals
from modules.common.messages import SENML, Message, Reading, new_id, senml

BATCH = 5_250  # readings in a message: 130 KB, half of what a packet may hold
_BASE = 2e9
_BASE_TEXT = b'"bt":2000000000.0'
_WAITING = 4  # messages in the hub beyond which the load holds back
_LOOK_EVERY = 0.05  # seconds between two looks at the hub's queues
_QUEUES = re.compile(r"^edgehub_queue_length\{(.*?)\} (\S+)$", re.MULTILINE)


def bodies(seconds: int) -> list[bytes]:
    """Return batches as a concentrator would send them, with a base time that `main` replaces."""
    plant = Plant(kept=seconds)
    found = []
    for second in range(seconds):
        rows, values = plant.second(second)
        for begin in range(0, rows.size, BATCH):
            part = slice(begin, begin + BATCH)
            seen: set[int] = set()
            readings = []
            for row, value in zip(rows[part].tolist(), np.round(values[part], 3).tolist(), strict=True):
                readings.append(Reading(plant.names[row], value, _BASE + (1e-6 if row in seen else 0.0)))
                seen.add(row)
            found.append(senml.encode(readings))
    return found


def waiting(metrics_url: str) -> float:
    """Return the messages that wait in the hub for the vibration module."""
    with urllib.request.urlopen(metrics_url, timeout=5) as answer:
        text = answer.read().decode()
    return sum(float(number) for labels, number in _QUEUES.findall(text) if "vibration" in labels)


def main(metrics_url: str) -> None:
    """Send until stopped."""
    stopping = stop_on_signals()
    ready = bodies(4)
    deepest, looked, seq = 0.0, 0.0, 0
    with Leaf.from_environment(stopping) as leaf:
        while not stopping.is_set():
            if time.monotonic() - looked > _LOOK_EVERY:
                looked = time.monotonic()
                depth = waiting(metrics_url)
                deepest = max(deepest, depth)
                if depth > _WAITING:
                    time.sleep(0.005)
                    looked = 0.0
                    continue
            now = datetime.now(UTC)
            stamp = f'"bt":{now.timestamp():.6f}'.encode()
            body = ready[seq % len(ready)].replace(_BASE_TEXT, stamp, 1)
            leaf.send(
                Message(
                    body=body,
                    kind="readings",
                    source="hall",
                    seq=seq,
                    time=now,
                    message_id=new_id(),
                    content_type=SENML,
                )
            )
            seq += 1
    print(json.dumps({"messages": seq, "deepest": deepest}))


if __name__ == "__main__":
    main(sys.argv[1])
