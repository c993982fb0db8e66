"""Log lines in IoT Edge's own form, so that tools which filter edgeHub's logs by level understand these too."""

import logging
import sys
from datetime import datetime
from typing import Final

_LEVELS: Final = {  # syslog's number and Serilog's name
    logging.DEBUG: (7, "DBG"),
    logging.INFO: (6, "INF"),
    logging.WARNING: (4, "WRN"),
    logging.ERROR: (3, "ERR"),
    logging.CRITICAL: (2, "FTL"),
}


class EdgeFormatter(logging.Formatter):
    """`<6> 2026-01-02 03:04:05.678 +00:00 [INF] - text`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and a traceback's lines after it where there is one."""
        number, name = _LEVELS.get(record.levelno, (6, "INF"))
        moment = datetime.fromtimestamp(record.created).astimezone()
        zone = moment.strftime("%z")
        stamp = f"{moment:%Y-%m-%d %H:%M:%S}.{int(record.msecs):03d} {zone[:3]}:{zone[3:5]}"
        line = f"<{number}> {stamp} [{name}] - {record.getMessage()}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def configure(level: int = logging.INFO) -> None:
    """Log to stderr from now on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(EdgeFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
