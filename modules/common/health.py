"""The heartbeat's document (docs/formats/messages.md, health): what a module says about itself."""

import logging
import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from modules.common.messages import rfc3339
from modules.common.metrics import Metrics

log = logging.getLogger(__name__)

Facts = Callable[[], Mapping[str, object]]

STATES: Final = ("ok", "warn", "fail")
_STATM: Final = Path("/proc/self/statm")


class Health:
    """Builds the document; `facts` are what the module adds."""

    def __init__(self, module: str, version: str, metrics: Metrics) -> None:
        self.facts: list[Facts] = []
        self._module = module
        self._version = version
        self._metrics = metrics
        self._started = datetime.now(UTC)
        self._begun = time.monotonic()

    def document(self, **more: object) -> dict[str, object]:
        """The document now, with `more` at the top level."""
        metrics = self._metrics
        total = metrics.total
        document: dict[str, object] = {
            "module": self._module,
            "version": self._version,
            "state": "ok",
            "text": "",
            "started": rfc3339(self._started),
            "uptime_s": round(time.monotonic() - self._begun, 1),
            "counters": {
                "received": total(metrics.received),
                "sent": total(metrics.sent),
                "bytes_in": total(metrics.received_bytes),
                "bytes_out": total(metrics.sent_bytes),
                "rejected": total(metrics.rejected),
                "dead": total(metrics.dead),
                "dropped": total(metrics.dropped),
            },
            "process": {"rss_bytes": resident_bytes(), "cpu_s": round(time.process_time(), 2)},
            **more,
        }
        facts: dict[str, object] = {}
        for source in self.facts:
            try:
                facts.update(source())
            except Exception:  # a fact that cannot be told must not silence the heartbeat
                log.exception("a health fact failed")
        if facts.get("state") in STATES:
            document["state"] = facts.pop("state")
        if isinstance(facts.get("text"), str):
            document["text"] = facts.pop("text")
        document["facts"] = facts
        return document


def resident_bytes() -> int:
    """Resident memory of this process; 0 where the system does not say (macOS)."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
