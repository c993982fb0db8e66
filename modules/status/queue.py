"""What the cache says of its queue, in this module's words. Pure; tolerant, for versions may differ by one."""

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
        "oldest_s": said.get("oldest_s", max(ages, default=0.0)),
        "hours_left": said.get("hours_left", said.get("outage_hours_left")),
        "confirmed_at": confirmed if isinstance(confirmed, str) else None,
        "dropped": _dropped(dropped),
    }
    if not isinstance(said.get("link"), str):
        queue["link"] = _link(queue, now)
    return queue


def _link(queue: Mapping[str, Any], now: datetime) -> str:
    """Whether the cloud takes what is sent, judged by what it has confirmed."""
    if queue["confirmed_at"] is None:
        return "down" if queue["depth"] and _number(queue["oldest_s"]) > _AWAY_AFTER_S else "unknown"
    try:
        ago = (now - datetime.fromisoformat(queue["confirmed_at"]).astimezone(UTC)).total_seconds()
    except ValueError:
        return "unknown"
    waits = queue["depth"] and _number(queue["oldest_s"]) > _AWAY_AFTER_S
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
    return float(value) if isinstance(value, (int, float)) and value == value else 0.0  # noqa: PLR0124 - not NaN
