"""Is the line all right? One word, one sentence, for someone who stands three metres away. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from modules.status.conditions import Condition

Level = Literal["ok", "warn", "stop", "unknown"]
Reason = Literal["waiting", "act_now", "not_watched", "look_soon", "note", "handled", "all_right"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`level` colours the page; `headline` is read across the room; `details` say what to do, worst first.

    `reason` and `names` (of sources or modules, the worst first) are the headline for whoever has words of their own.
    """

    level: Level
    reason: Reason
    headline: str
    details: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


def judge(conditions: Sequence[Condition], modules: Mapping[str, str], texts: Mapping[str, str]) -> Verdict:
    """From what is wrong (worst first) and each module's state (`modules`) and text (`texts`)."""
    if not modules:
        return Verdict("unknown", "waiting", "Waiting for the modules", ("no heartbeat has arrived yet",))
    critical = [each for each in conditions if each.severity == "critical" and not each.acknowledged]
    warnings = [each for each in conditions if each.severity == "warning" and not each.acknowledged]
    handled = [each for each in conditions if each.acknowledged]
    troubled = {name: state for name, state in modules.items() if state != "ok"}
    details = [_detail(each) for each in (*critical, *warnings)]
    details += [f"{name}: {texts.get(name) or state}" for name, state in sorted(troubled.items())]
    if critical:
        places = list(dict.fromkeys(each.source for each in critical))
        return Verdict("stop", "act_now", f"Act now: {_listed(places)}", tuple(details), tuple(places))
    if any(state in ("fail", "silent") for state in troubled.values()):
        gone = sorted(name for name, state in troubled.items() if state in ("fail", "silent"))
        return Verdict("warn", "not_watched", f"Not watched in full: {_listed(gone)}", tuple(details), tuple(gone))
    if warnings:
        places = list(dict.fromkeys(each.source for each in warnings))
        return Verdict("warn", "look_soon", f"Look soon: {_listed(places)}", tuple(details), tuple(places))
    if troubled:
        noting = tuple(sorted(troubled))
        return Verdict("warn", "note", f"Running, with a note: {_listed(noting)}", tuple(details), noting)
    if handled:
        return Verdict("ok", "handled", "Running; what was wrong is being handled", tuple(map(_detail, handled)))
    return Verdict("ok", "all_right", "The line is all right")


def _detail(condition: Condition) -> str:
    advice = f" - {condition.advice}" if condition.advice else ""
    said = condition.text if condition.text.startswith(condition.source) else f"{condition.source}: {condition.text}"
    return said + advice


def _listed(names: Sequence[str], most: int = 2) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
