"""How long a newcomer waits: from starting the line to the first alert that the page can show."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from bench.claim import Claim
from devices.line import Line


def once(address: str) -> float:
    """Seconds from the start of `localhub run`, with an empty state folder, to an alert on the status module."""
    with tempfile.TemporaryDirectory(prefix="start-") as folder:
        line = Line(state=Path(folder) / "state", address=address, log=Path(folder) / "said")
        began = time.monotonic()
        with line:
            line.wait("first alert", lambda: line.api("/api/v1/alerts", limit=1)["alerts"], every_s=0.05)
            return time.monotonic() - began


def run(*, quick: bool) -> dict[str, Claim]:
    """The median of three starts; the leaf devices' own onset of the fault is part of it."""
    took = sorted(once(f"127.32.0.{place}") for place in range(1, 2 if quick else 4))
    return {"first_alert_s": Claim(took[len(took) // 2], "s", 15, 6, lower_is_better=True)}
