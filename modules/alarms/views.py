"""What the module tells of itself: in health, and in `view/alarms` (docs/formats/view.md)."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import orjson

from modules.alarms.board import Board
from modules.alarms.carrier import Carrier
from modules.alarms.condition import Condition
from modules.alarms.store import Store
from modules.common.messages import SEVERITIES, rfc3339

_SHOWN: Final = 200
_NAMED: Final = 20  # conditions in health: a message has its size
_DROPS_S: Final = 300.0  # so long what was dropped is worth a warning


class Told(Protocol):
    """The module, as far as views need it."""

    @property
    def carriers(self) -> Mapping[str, Carrier]:
        """The outputs at work."""

    @property
    def board(self) -> Board:
        """What stands."""

    @property
    def store(self) -> Store:
        """What is kept."""

    @property
    def trouble(self) -> str:
        """Why the disk does not take what must be kept; empty: it does."""


def alarms(module: Told, query: Mapping[str, str]) -> tuple[str, bytes]:
    """Conditions that ask for somebody, what sounds first; and every output. With `source` only of that source."""
    source = query.get("source")
    found = [each for each in _live(module.board) if source in (None, each["source"])]
    shown = {"alarms": found[:_SHOWN], "matching": len(found), "outputs": _outputs(module)}
    return "application/json", orjson.dumps(shown)


def facts(module: Told) -> dict[str, object]:
    """What health tells: what sounds, every output, and in one line what is wrong."""
    live = _live(module.board)
    outputs = module.carriers.values()
    failing = [each for each in outputs if each.state.phase == "failing"]
    wrong = [f"alarms cannot be kept: {module.trouble}"] if module.trouble else []
    wrong += [f"{each.name} fails: {each.state.why}" for each in failing]
    wrong += [f"{each.name}: {each.remark}" for each in outputs if each.remark]
    now = time.time()
    for each in outputs:
        if each.state.dropped and now - each.state.dropped_at < _DROPS_S:
            reasons = ", ".join(f"{reason} {count}" for reason, count in each.state.dropped.most_common(3))
            wrong.append(f"{each.name}: notices dropped: {reasons}")
    if module.store.set_aside:
        wrong.append(module.store.set_aside)
    judged = "fail" if module.trouble or (failing and len(failing) == len(module.carriers)) else "warn"
    trouble = {"state": judged, "text": "; ".join(wrong)[:500]} if wrong else {}
    return {
        **trouble,
        "alarms": live[:_NAMED],
        "live": len(live),
        "sounding": sum(each["sounds"] for each in live),
        "unsounded": {f"{rule}: {reason}": count for (rule, reason), count in module.board.unsounded.items()},
        "forgotten": module.board.forgotten,
        "outputs": _outputs(module),
    }


def _outputs(module: Told) -> dict[str, object]:
    return {name: each.facts() for name, each in module.carriers.items()}


def _live(board: Board) -> list[dict[str, Any]]:
    """One object for each alarm that is live; what sounds, is severe and new comes first."""
    rows = [
        _shown(each, rule, sounds=alarm.sounds, begun=alarm.begun, why=alarm.why)
        for each in board.conditions.values()
        for rule, alarm in each.alarms.items()
        if alarm.live
    ]
    rows.sort(key=lambda row: row["since"], reverse=True)
    rows.sort(key=lambda row: (not row["sounds"], -SEVERITIES.index(row["severity"])))
    return rows


def _shown(condition: Condition, rule: str, *, sounds: bool, begun: float | None, why: str) -> dict[str, Any]:
    return {
        "rule": rule,
        "module": condition.key.module,
        "source": condition.key.source,
        "kind": condition.key.kind,
        "severity": condition.severity,
        "text": condition.text,
        "alert": condition.alert,
        "since": _time(condition.since),
        "stands": condition.stands,
        "sounds": sounds,
        "begun": None if begun is None else _time(begun),
        "why": why,
        "by": condition.by,
    }


def _time(at: float) -> str:
    return rfc3339(datetime.fromtimestamp(at, UTC))
