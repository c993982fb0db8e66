"""What a benchmark answers: one figure beside its floor and its aim."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """One measured figure.

    ``floor`` is the worst value that may ship and ``aim`` the one we want, both in ``unit``. ``peer`` says what the
    figure was measured against, in the same run.
    """

    value: float
    unit: str
    floor: float
    aim: float
    peer: str = ""
    lower_is_better: bool = False

    @property
    def verdict(self) -> str:
        """``aim``, ``floor`` or ``below``: how far the figure reaches."""
        sign = -1 if self.lower_is_better else 1
        if sign * self.value >= sign * self.aim:
            return "aim"
        return "floor" if sign * self.value >= sign * self.floor else "below"

    def document(self) -> dict[str, object]:
        """The claim as ``--json`` writes it."""
        return {
            "value": self.value,
            "unit": self.unit,
            "floor": self.floor,
            "aim": self.aim,
            "peer": self.peer,
            "verdict": self.verdict,
        }
