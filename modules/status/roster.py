"""Who is there: the last heartbeat of each module, and the rates between two. Pure; times are passed in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

State = Literal["ok", "warn", "fail", "silent"]
_RATES: Final = ("received", "sent", "bytes_in", "bytes_out")


@dataclass(slots=True)
class Member:
    """One module as it last described itself."""

    name: str
    document: Mapping[str, Any]
    heard: float
    """Monotonic seconds of the last heartbeat."""
    rates: dict[str, float] = field(default_factory=dict)
    cpu_share: float | None = None
    starts: int = 1
    """How many starts status has seen."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the module added of its own."""
        facts = self.document.get("facts")
        return facts if isinstance(facts, Mapping) else {}

    def state(self, now: float, silent_after: float) -> State:
        """Its own word for how it is, or silent."""
        if now - self.heard > silent_after:
            return "silent"
        said = self.document.get("state")
        return said if said in ("ok", "warn", "fail") else "warn"

    def text(self, now: float, silent_after: float) -> str:
        """Why, in one line."""
        if now - self.heard > silent_after:
            return f"no heartbeat for {now - self.heard:.0f} s"
        said = self.document.get("text")
        if isinstance(said, str) and said:
            return said
        settings = self.document.get("settings")
        if isinstance(settings, Mapping) and settings.get("ok") is False:
            return f"settings refused: {settings.get('error', '')}"
        return ""


class Roster:
    """All modules heard of, by name."""

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}

    def hear(self, document: Mapping[str, Any], now: float) -> Member:
        """Take a heartbeat in. Raises KeyError('module') when it does not say whose it is."""
        name = document["module"]
        if not isinstance(name, str) or not name:
            raise KeyError("module")
        before = self.members.get(name)
        if before is None:
            member = Member(name, document, now)
        elif before.document.get("started") != document.get("started"):
            member = Member(name, document, now, starts=before.starts + 1)
        else:
            member = Member(name, document, now, starts=before.starts)
            seconds = now - before.heard
            if seconds >= 0.5:  # two heartbeats close together (a reconnect) would give wild rates
                member.rates = {
                    key: (_number(document, "counters", key) - _number(before.document, "counters", key)) / seconds
                    for key in _RATES
                }
                cpu = _number(document, "process", "cpu_s") - _number(before.document, "process", "cpu_s")
                member.cpu_share = max(0.0, cpu / seconds)
            else:
                member.rates, member.cpu_share = before.rates, before.cpu_share
        self.members[name] = member
        return member


def _number(document: Mapping[str, Any], group: str, key: str) -> float:
    part = document.get(group)
    value = part.get(key) if isinstance(part, Mapping) else None
    return float(value) if isinstance(value, (int, float)) else 0.0
