"""How long to wait for a hub that is busy. Pure.

IoT Hub answers 429 with Retry-After when a quota is used up, and 5xx for a moment now and then
(learn.microsoft.com/azure/iot-hub/iot-hub-devguide-quotas-throttling, iot-hub-troubleshoot-error-503003).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

FIRST_S: Final = 0.5
LONGEST_S: Final = 30.0
WAITABLE: Final = frozenset({429, 500, 502, 503, 504})


def pause(attempt: int, asked_s: float | None, jitter: float) -> float:
    """Seconds to wait before the next try.

    `attempt` counts tries made, from 1; `asked_s` is what Retry-After said; `jitter` is drawn from [0, 1). What the hub
    asked for is never cut short, and gets at most a quarter more, so that many who wait do not come back together.
    """
    if asked_s is not None:
        return asked_s * (1 + jitter / 4)
    return min(LONGEST_S, FIRST_S * 2.0 ** min(attempt - 1, 16)) * (0.5 + jitter / 2)


def asked(headers: Mapping[str, str], now: datetime) -> float | None:
    """Retry-After in seconds (RFC 9110, 10.2.3: a number or a date); None where there is none that can be read."""
    text = next((value.strip() for name, value in headers.items() if name.lower() == "retry-after"), "")
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(text) - now).total_seconds()
        except (ValueError, TypeError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
