"""The gateway in a few lines, for reported properties: what an operator of hundreds looks at. Pure.

A twin's reported properties hold 32 KB, and this module reports its settings there too; the summary keeps to 6 KB. It
is reported on change, so figures that move all the time are given roughly.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

_MODULES: Final = 40
_MODELS: Final = 20
_NOT_IN_NAMES: Final = re.compile(r"[.$#\s\x00-\x1f]")  # of a reported property (ReportedPropertiesValidator.cs)


def summary(
    *,
    line: Mapping[str, Any],
    active: Mapping[str, int],
    queue: Mapping[str, Any],
    links: Mapping[str, Mapping[str, Any]],
    modules: Sequence[Mapping[str, Any]],
    models: Mapping[str, Any],
) -> dict[str, Any]:
    """What is reported under `gateway`."""
    hours = queue.get("hours_left")
    return {
        "level": line["level"],
        "headline": str(line["headline"])[:160],
        "alerts": dict(active),
        "link": {name: {"state": each["state"], "since": each["since"]} for name, each in links.items()},
        "queue": {
            "depth": roughly(queue.get("depth")),
            "oldest_s": roughly(queue.get("oldest_s")),
            "hours_left": roughly(hours) if isinstance(hours, (int, float)) else -1,
            "dropped": sum((queue.get("dropped") or {}).values()),
        },
        "modules": {
            key(each["name"]): {"version": str(each["version"])[:32], "state": each["state"]}
            for each in modules[:_MODULES]
        },
        "drift": drifts(models),
    }


def drifts(models: Mapping[str, Any]) -> dict[str, Any]:
    """What each model's facts say of drift, by model: the fields beside which nobody needs the rest."""
    found: dict[str, Any] = {}
    for name, facts in list(models.items())[:_MODELS]:
        said = facts.get("drift") if isinstance(facts, Mapping) else None
        if isinstance(said, Mapping):
            said = said.get("state", said.get("level"))
        if isinstance(said, (str, bool)):
            found[key(name)] = str(said)[:40]
        elif isinstance(said, (int, float)):
            found[key(name)] = roughly(said)
    return found


def patch(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """The reported patch that makes `before` into `now`: what is gone is null, what is as it was is left out."""
    changed: dict[str, Any] = {name: None for name in before if name not in now}
    for name, value in now.items():
        earlier = before.get(name)
        if isinstance(value, Mapping) and isinstance(earlier, Mapping):
            if inner := patch(earlier, value):
                changed[name] = inner
        elif value != earlier or name not in before:
            changed[name] = value
    return changed


def roughly(value: object) -> float:
    """One significant digit, so that a queue that breathes is no change."""
    if not isinstance(value, (int, float)) or not math.isfinite(value) or value == 0:
        return 0
    digits = math.floor(math.log10(abs(value)))
    rounded = round(value, -digits)
    return int(rounded) if rounded == int(rounded) else rounded


def key(name: str) -> str:
    """A name that a reported property may have."""
    return _NOT_IN_NAMES.sub("_", name)[:64] or "_"
