"""What the cache says of its queue, in this module's words. Pure; tolerant, for versions may differ by one."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

_AWAY_AFTER_S: Final = 5.0


def queue_of(facts: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The cache's queue: its facts (or `facts.queue`), with depth, bytes, oldest_s, link, hours_left, confirmed_at."""
    inner = facts.get("queue")
    said = dict(inner) if isinstance(inner, Mapping) else dict(facts)
    rows = said.get("priorities")
    priorities = [each for each in rows if isinstance(each, Mapping)] if isinstance(rows, list) else []
    ages = [_number(each.get("oldest_age_s", each.get("oldest_s"))) for each in priorities if each.get("depth")]
    confirmed = said.get("confirmed_at") or said.get("last_confirmed")
    dropped = said.get("dropped")
    queue = {
        **said,
        "known": True,
        "depth": int(_number(said.get("depth"))),
        "bytes": int(_number(said.get("bytes"))),
        "oldest_s": _number(said.get("oldest_s", max(ages, default=0.0))),
        "hours_left": said.get("hours_left", said.get("outage_hours_left")),
        "confirmed_at": confirmed if isinstance(confirmed, str) else None,
        "dropped": _dropped(dropped),
    }
    left = queue["hours_left"]
    queue["hours_left"] = left if isinstance(left, (int, float)) and math.isfinite(left) else None
    drained = said.get("drain_bytes_per_s")
    queue["drain_bytes_per_s"] = _number(drained) if isinstance(drained, (int, float)) else None
    queue["priorities"] = [
        {
            **each,
            "priority": int(_number(each.get("priority"))),
            "depth": int(_number(each.get("depth"))),
            "bytes": int(_number(each.get("bytes"))),
            "oldest_s": _number(each.get("oldest_age_s", each.get("oldest_s"))),
            "in_flight": int(_number(each.get("in_flight"))),
        }
        for each in priorities
    ]
    queue["confirmed_ago_s"] = _ago(queue["confirmed_at"], now)
    if not isinstance(said.get("link"), str):
        queue["link"] = _link(queue)
    return queue


def _ago(confirmed: str | None, now: datetime) -> float | None:
    if confirmed is None:
        return None
    try:
        return round(max(0.0, (now - datetime.fromisoformat(confirmed).astimezone(UTC)).total_seconds()), 1)
    except (ValueError, OverflowError):
        return None


def _link(queue: Mapping[str, Any]) -> str:
    """Whether the cloud takes what is sent, judged by what it has confirmed."""
    waits = bool(queue["depth"]) and _number(queue["oldest_s"]) > _AWAY_AFTER_S
    if queue["confirmed_at"] is None:
        return "down" if waits else "unknown"
    ago = queue["confirmed_ago_s"]
    if ago is None:
        return "unknown"
    return "down" if waits and ago > _AWAY_AFTER_S else "up"


def _dropped(said: object) -> dict[str, int]:
    """Counts by reason, from an object or from rows of reason and n."""
    if isinstance(said, Mapping):
        return {str(reason): int(_number(count)) for reason, count in said.items()}
    counts: dict[str, int] = {}
    for row in said if isinstance(said, list) else ():
        if isinstance(row, Mapping):
            reason = str(row.get("reason"))
            counts[reason] = counts.get(reason, 0) + int(_number(row.get("n")))
    return counts


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else 0.0
