"""Is the line all right? One word, one sentence, for someone who stands three metres away. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from modules.status.conditions import Condition

Level = Literal["ok", "warn", "stop", "unknown"]
Reason = Literal["waiting", "act_now", "not_watched", "look_soon", "note", "handled", "all_right"]


MOST: Final = 50
"""Details and names that are told: a hall that loses its power is ten thousand conditions, and told twice a second."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`level` colours the page; `headline` is read across the room; `details` say what to do, worst first.

    `reason`, `names` (of sources or modules, the worst first, at most MOST) and `count` (how many there are) are the
    headline for whoever has words of their own.
    """

    level: Level
    reason: Reason
    headline: str
    details: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    count: int = 0


def judge(conditions: Sequence[Condition], modules: Mapping[str, str], texts: Mapping[str, str]) -> Verdict:
    """From what is wrong (worst first) and each module's state (`modules`) and text (`texts`)."""
    if not modules:
        return Verdict("unknown", "waiting", "Waiting for the modules", ("no heartbeat has arrived yet",))
    critical = [each for each in conditions if each.severity == "critical" and not each.acknowledged]
    warnings = [each for each in conditions if each.severity == "warning" and not each.acknowledged]
    handled = [each for each in conditions if each.acknowledged]
    troubled = {name: state for name, state in modules.items() if state != "ok"}
    details = [_detail(each) for each in (*critical[:MOST], *warnings[:MOST])]
    details += [f"{name}: {texts.get(name) or state}" for name, state in sorted(troubled.items())]
    if critical:
        return _about("stop", "act_now", "Act now: ", [each.source for each in critical], details)
    if gone := sorted(name for name, state in troubled.items() if state in ("fail", "silent")):
        return _about("warn", "not_watched", "Not watched in full: ", gone, details)
    if warnings:
        return _about("warn", "look_soon", "Look soon: ", [each.source for each in warnings], details)
    if troubled:
        return _about("warn", "note", "Running, with a note: ", sorted(troubled), details)
    if handled:
        said = tuple(map(_detail, handled[:MOST]))
        return Verdict("ok", "handled", "Running; what was wrong is being handled", said)
    return Verdict("ok", "all_right", "The line is all right")


def _about(level: Level, reason: Reason, lead: str, names: Sequence[str], details: Sequence[str]) -> Verdict:
    each = list(dict.fromkeys(names))
    return Verdict(level, reason, lead + _listed(each), tuple(details[:MOST]), tuple(each[:MOST]), len(each))


def _detail(condition: Condition) -> str:
    advice = f" - {condition.advice}" if condition.advice else ""
    said = condition.text if condition.text.startswith(condition.source) else f"{condition.source}: {condition.text}"
    return said + advice


def _listed(names: Sequence[str], most: int = 2) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
