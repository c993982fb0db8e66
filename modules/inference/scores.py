"""What a model has said lately, by source: counts, means and a histogram, small enough to go to the cloud. Pure."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from modules.inference.verdict import Verdict

BINS: Final = 20  # of the probability of not being OK, equally wide


def bin_of(score: float) -> int:
    """The bin of a probability."""
    return min(BINS - 1, max(0, int(score * BINS)))


@dataclass(slots=True)
class Tally:
    """Counts of one model and source since the last message."""

    verdicts: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    uncertain: int = 0
    odd: int = 0
    sums: list[float] = field(default_factory=list)  # of the probabilities, by label
    bins: list[int] = field(default_factory=lambda: [0] * BINS)
    busy_s: float = 0.0
    slowest_s: float = 0.0

    def add(self, verdict: Verdict, probabilities: list[float], took_s: float) -> None:
        """One verdict more."""
        self.verdicts += 1
        self.labels[verdict.label] += 1
        self.uncertain += verdict.uncertain
        self.sums = [a + b for a, b in zip(self.sums or [0.0] * len(probabilities), probabilities, strict=True)]
        self.bins[bin_of(verdict.not_ok)] += 1
        self.busy_s += took_s
        self.slowest_s = max(self.slowest_s, took_s)

    def document(self, model: str, labels: tuple[str, ...]) -> dict[str, Any]:
        """The body of a score message."""
        count = max(1, self.verdicts)
        return {
            "model": model,
            "verdicts": self.verdicts,
            "labels": dict(self.labels),
            "uncertain": self.uncertain,
            "odd": self.odd,
            "mean": {label: round(total / count, 5) for label, total in zip(labels, self.sums, strict=False)},
            "histogram": self.bins,
            "mean_s": round(self.busy_s / count, 6),
            "slowest_s": round(self.slowest_s, 6),
        }
