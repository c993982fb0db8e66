"""One condition of one sensor: raised when k of n windows agree, cleared when none does, quiet for a while after."""

from dataclasses import dataclass, field

from modules.common.messages import AlertState, Severity

RANK: dict[Severity, int] = {"info": 0, "warning": 1, "critical": 2}
_BY_RANK: tuple[Severity, ...] = ("info", "warning", "critical")


@dataclass(frozen=True, slots=True)
class Patience:
    """How much it takes: `needed` of the last `of` windows; seconds of hold-off after an end."""

    needed: int = 3
    of: int = 4
    hold_off: float = 30.0


@dataclass(slots=True)
class Alarm:
    """The condition's memory: the ranks of the last windows, newest last, and what stands."""

    standing: int = 0
    recent: list[int] = field(default_factory=list)
    held_until: float = 0.0

    def step(self, severity: Severity, time: float, patience: Patience) -> tuple[AlertState, Severity] | None:
        """Take in one window's judgement; return what changed, if anything. `time` in Unix seconds."""
        self.recent = [*self.recent, RANK[severity]][-patience.of :]
        agreed = sorted(self.recent, reverse=True)[patience.needed - 1] if len(self.recent) >= patience.needed else 0
        if self.standing and not any(self.recent):
            self.standing = 0
            self.held_until = time + patience.hold_off
            return "cleared", "info"
        if agreed <= self.standing:
            return None
        if not self.standing and time < self.held_until:
            return None
        state: AlertState = "updated" if self.standing else "raised"
        self.standing = agreed
        return state, _BY_RANK[agreed]
