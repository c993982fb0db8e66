"""What crashes cost, counted by the operation that they struck."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass, field


@dataclass(slots=True)
class Cost:
    """What the crashes in one operation cost: all but `crashes` are to be 0."""

    crashes: int = 0
    missing: int = 0
    """Ids that were acknowledged and are not there."""
    repeats: int = 0
    """Ids accepted twice, or back though they were delivered."""
    reordered: int = 0
    over: int = 0
    """Bytes over the bound."""
    different: int = 0
    """Counters or states that are neither as before the operation nor as after it."""


@dataclass(slots=True)
class Tally:
    """The costs by operation; `first` says what the first bad crash was."""

    by_operation: defaultdict[str, Cost] = field(default_factory=lambda: defaultdict(Cost))
    first: str = ""

    def total(self) -> Cost:
        """All operations together."""
        rows = [asdict(cost) for cost in self.by_operation.values()]
        return Cost(**{name: sum(row[name] for row in rows) for name in asdict(Cost())})

    def add(self, other: Tally) -> None:
        """Count another's crashes in."""
        for operation, cost in other.by_operation.items():
            mine = self.by_operation[operation]
            for name, n in asdict(cost).items():
                setattr(mine, name, getattr(mine, name) + n)
        self.first = self.first or other.first

    def blame(self, operation: str, what: str, n: int, where: str) -> None:
        """`n` more of `what` in `operation`."""
        if n:
            cost = self.by_operation[operation]
            setattr(cost, what, getattr(cost, what) + n)
            self.first = self.first or f"{n} {what} after a crash in {operation}: {where}"

    def table(self) -> str:
        """A line for each operation and one for all."""
        names = list(asdict(Cost()))
        rows = [*sorted(self.by_operation.items()), ("all", self.total())]
        lines = [f"{'':12}" + "".join(f"{name:>11}" for name in names)]
        lines += [f"{operation:12}" + "".join(f"{n:11}" for n in asdict(cost).values()) for operation, cost in rows]
        return "\n".join(lines)

    def check(self) -> None:
        """Raises AssertionError unless the crashes cost nothing."""
        total = self.total()
        assert total == Cost(crashes=total.crashes), f"{self.first}\n{self.table()}"
