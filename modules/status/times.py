"""Times as this module keeps them (Unix milliseconds) and shows them (RFC 3339, UTC)."""

import time
from datetime import UTC, datetime

from modules.common.messages import rfc3339


def now_ms() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000


def to_ms(moment: datetime) -> int:
    """Unix milliseconds of an aware time."""
    return int(moment.timestamp() * 1000)


def from_ms(milliseconds: int) -> str:
    """RFC 3339 of Unix milliseconds."""
    return rfc3339(datetime.fromtimestamp(milliseconds / 1000, UTC))
