"""How a challenger stands against the champion, and when that ends the trial. Pure.

It is taken back when, among its last `window` answers, more than `disagreement` of them name another label, or more
than `slow` of them took longer than `latency_ms`; both are counted against the whole window, so that a few answers at
the beginning decide nothing, and a bad one need not wait until the window is full. Failing twice in a row ends it,
too: once can be the machine's fault.

It is promoted by a rule when at least `n` answers stand, the lower end of the 95 % interval of its agreement (Wilson,
JASA 22 (1927)) is at least `agreement`, and its mean time is at most `latency_ms`.
"""

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from modules.inference.trials.settings import Guard, Rule

FAILURES: Final = 2  # in a row
_Z: Final = 1.959964  # 97.5 % of the standard normal distribution


@dataclass(frozen=True, slots=True)
class Decision:
    """What ends a trial, and why in words."""

    what: Literal["returned", "promoted"]
    because: str


@dataclass(slots=True)
class Standing:
    """What was counted since the trial began."""

    n: int = 0
    agreed: int = 0
    took_s: float = 0.0  # of the challenger, for all n
    champion_s: float = 0.0
    failures: int = 0  # in a row
    failed: int = 0  # in all
    skipped: int = 0  # inputs it was not asked about, because it was still busy
    _recent: deque[tuple[bool, bool]] = field(default_factory=deque)  # (disagreed, slow)

    def answered(self, *, agrees: bool, took_s: float, champion_s: float, guard: Guard) -> Decision | None:
        """One answer beside the champion's on the same input."""
        self.n += 1
        self.agreed += agrees
        self.took_s += took_s
        self.champion_s += champion_s
        self.failures = 0
        self._recent.append((not agrees, took_s * 1e3 > guard.latency_ms))
        while len(self._recent) > guard.window:
            self._recent.popleft()
        disagreed, slow = (sum(each[place] for each in self._recent) for place in (0, 1))
        if disagreed > guard.disagreement * guard.window:
            return Decision("returned", f"{disagreed} of its last {len(self._recent)} answers disagreed")
        if slow > guard.slow * guard.window:
            return Decision(
                "returned", f"{slow} of its last {len(self._recent)} answers took over {guard.latency_ms:g} ms"
            )
        return None

    def threw(self, error: str) -> Decision | None:
        """It gave no answer."""
        self.failures += 1
        self.failed += 1
        if self.failures < FAILURES:
            return None
        return Decision("returned", f"it failed {self.failures} times in a row: {error}")

    def fulfils(self, rule: Rule | None) -> Decision | None:
        """Whether the operator's rule promotes it."""
        if rule is None or self.n < rule.n:
            return None
        low, mean_ms = wilson_low(self.agreed, self.n), self.took_s / self.n * 1e3
        if low < rule.agreement or mean_ms > rule.latency_ms:
            return None
        return Decision("promoted", f"{self.agreed} of {self.n} answers agreed, {mean_ms:.1f} ms each: the rule holds")

    def document(self) -> dict[str, Any]:
        """For scores, health and the view."""
        count = max(1, self.n)
        return {
            "n": self.n,
            "agreed": self.agreed,
            "agreement": round(self.agreed / count, 4),
            "mean_ms": round(self.took_s / count * 1e3, 3),
            "champion_ms": round(self.champion_s / count * 1e3, 3),
            "failed": self.failed,
            "skipped": self.skipped,
        }

    def counts(self) -> dict[str, Any]:
        """What is kept over a restart; the window begins anew."""
        return {name: getattr(self, name) for name in ("n", "agreed", "took_s", "champion_s", "failed", "skipped")}


def wilson_low(right: int, total: int) -> float:
    """Lower end of Wilson's 95 % interval of a share."""
    if total == 0:
        return 0.0
    share, square = right / total, _Z * _Z
    middle = share + square / (2 * total)
    spread = _Z * math.sqrt(share * (1 - share) / total + square / (4 * total * total))
    return max(0.0, (middle - spread) / (1 + square / total))
