"""What readings led to."""

from dataclasses import dataclass, field

from modules.vibration.columns import FloatArray, IntArray
from modules.vibration.finding import Finding
from modules.vibration.scalar.window import WindowBatch


@dataclass(slots=True)
class Flags:
    """Flagged readings: sensor row, Unix seconds, value, z score."""

    sensor: IntArray
    time: FloatArray
    value: FloatArray
    z: FloatArray


@dataclass(slots=True)
class Outcome:
    """What a batch led to."""

    accepted: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    restamped: int = 0
    findings: list[Finding] = field(default_factory=list)
    flags: list[Flags] = field(default_factory=list)
    windows: list[WindowBatch] = field(default_factory=list)

    def reject(self, reason: str, count: int) -> None:
        """Count `count` readings as refused for `reason`."""
        if count:
            self.rejected[reason] = self.rejected.get(reason, 0) + count
