"""Logs in IoT Edge's own form, so that `iotedge logs` and UploadModuleLogs can filter them by level.

    <6> 2026-01-02 03:04:05.678 +00:00 [INF] - text

The number is the syslog level, as edgeHub and edgeAgent write it.
"""

import logging
import os
import sys
import time
from datetime import UTC, datetime
from typing import Final

_LEVELS: Final = (
    (logging.CRITICAL, "<2>", "FTL"),
    (logging.ERROR, "<3>", "ERR"),
    (logging.WARNING, "<4>", "WRN"),
    (logging.INFO, "<6>", "INF"),
    (0, "<7>", "DBG"),
)
# The SDK logs each step of each message and each lost connection with a traceback; modules.common says both once.
_NOISY: Final = ("azure", "paho", "urllib3", "requests", "asyncio", "httpx", "httpcore")


class EdgeFormatter(logging.Formatter):
    """One record as one line of IoT Edge; further lines (a traceback) are indented."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text, without a line end."""
        prefix, label = next((p, label) for level, p, label in _LEVELS if record.levelno >= level)
        moment = datetime.fromtimestamp(record.created, UTC)
        stamp = f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d} +00:00"
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return f"{prefix} {stamp} [{label}] - " + text.rstrip("\n").replace("\n", "\n    ")


def set_up(level: str | None = None) -> None:
    """Send this process' logs to standard output in IoT Edge's form.

    `level` is debug, info, warning or error; by default RuntimeLogLevel, which edgeAgent passes to every module.
    """
    wanted = (level or os.environ.get("RuntimeLogLevel") or "info").upper()  # noqa: SIM112 - edgeAgent spells it so
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(EdgeFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.getLevelNamesMapping().get(wanted, logging.INFO))
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.CRITICAL if name in ("azure", "paho") else logging.WARNING)


class Limited:
    """Says the same thing at most once in `seconds`, and how often it was not said."""

    def __init__(self, log: logging.Logger, seconds: float = 10.0) -> None:
        self._log = log
        self._seconds = seconds
        self._last: dict[object, tuple[float, int]] = {}

    def warning(self, key: object, text: str, *arguments: object) -> None:
        """Log `text` as a warning unless the same `key` was logged in the last seconds."""
        now = time.monotonic()
        last, unsaid = self._last.get(key, (-self._seconds, 0))
        if now - last < self._seconds:
            self._last[key] = (last, unsaid + 1)
            return
        if len(self._last) > 1000:  # keys come from outside; the memory for them is bounded
            self._last.clear()
        self._last[key] = (now, 0)
        self._log.warning(text + (f" ({unsaid} more like it before)" if unsaid else ""), *arguments)
