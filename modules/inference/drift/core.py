"""One statistic of one source against its reference histogram, window by window. Pure.

Each window of `n` values is compared as a whole, and then forgotten. It drifts when both hold:

- the Kolmogorov-Smirnov distance D between window and reference, read at the bins' edges, exceeds
  sqrt(ln(2 / rate) / (2 n m / (n + m))) for a reference of m values. For values that are drawn independently from what
  the reference was drawn from this happens in at most `rate` of the windows: Dvoretzky, Kiefer and Wolfowitz with
  Massart's constant (Ann. Probab. 18 (1990)), in the two-sample form of Wei and Dudley (Stat. Probab. Lett. 82 (2012));
  at the edges of bins D can only be smaller;
- the population stability index, sum((p - q) ln(p / q)) over bins, is at least `psi`: a large window finds differences
  that do not matter to anybody. 0.1 is commonly read as a moderate shift, 0.25 as a large one.

What comes behind each other on a line is alike, so that real windows drift oftener than `rate`; a longer window helps.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

_HALF: Final = 0.5  # a count that an empty bin is given in PSI, which has no logarithm of nothing


@dataclass(frozen=True, slots=True)
class Reference:
    """A histogram: `edges` rise strictly; values outside fall into the first or last bin. `count`: values behind it."""

    edges: Sequence[float]
    shares: Sequence[float]
    count: int

    def bin_of(self, value: float) -> int:
        """The bin of a value."""
        return min(len(self.shares) - 1, max(0, bisect_right(self.edges, value) - 1))


@dataclass(frozen=True, slots=True)
class Finding:
    """What one window showed."""

    psi: float
    distance: float  # D
    critical: float  # that D has to exceed
    n: int
    drifts: bool
    shares: tuple[float, ...]  # of the window
    grown: frozenset[int]  # bins that hold more than in the reference

    def evidence(self, statistic: str, reference: Reference) -> dict[str, Any]:
        """For alerts and scores."""
        worst = max(range(len(self.shares)), key=lambda each: abs(self.shares[each] - reference.shares[each]))
        return {
            "statistic": statistic,
            "psi": round(self.psi, 4),
            "distance": round(self.distance, 4),
            "critical": round(self.critical, 4),
            "window": self.n,
            "bin": [reference.edges[worst], reference.edges[worst + 1]],
            "share": round(self.shares[worst], 4),
            "reference": round(reference.shares[worst], 4),
        }


@dataclass(slots=True)
class Window:
    """Values of one statistic since the last whole window."""

    reference: Reference
    counts: list[int] = field(default_factory=list)
    last: Finding | None = None

    def take(self, value: float, *, n: int, rate: float, psi: float) -> Finding | None:
        """One value more; what the window showed when it is whole now."""
        self.counts = self.counts or [0] * len(self.reference.shares)
        self.counts[self.reference.bin_of(value)] += 1
        if sum(self.counts) < n:
            return None
        self.last = compare(self.counts, self.reference, rate=rate, psi=psi)
        self.counts = []
        return self.last


def compare(counts: Sequence[int], reference: Reference, *, rate: float, psi: float) -> Finding:
    """A whole window against its reference."""
    n = sum(counts)
    shares = tuple(count / n for count in counts)
    total = sum(reference.shares)
    expected = [share / total for share in reference.shares]
    distance = max(abs(a - b) for a, b in zip(_running(shares), _running(expected), strict=True))
    critical, index = critical_distance(n, reference.count, rate), stability(counts, expected, reference.count)
    grown = frozenset(place for place, (a, b) in enumerate(zip(shares, expected, strict=True)) if a > b)
    return Finding(index, distance, critical, n, distance > critical and index >= psi, shares, grown)


def critical_distance(n: int, m: int, rate: float) -> float:
    """The distance that at most `rate` of the windows exceed, see above."""
    return math.sqrt(math.log(2 / rate) * (n + m) / (2 * n * m))


def stability(counts: Sequence[int], expected: Sequence[float], m: int) -> float:
    """The population stability index of a window against the shares of a reference of m values."""
    n = sum(counts)
    pairs = [(max(count, _HALF) / n, max(share * m, _HALF) / m) for count, share in zip(counts, expected, strict=True)]
    return sum((p - q) * math.log(p / q) for p, q in pairs)


def _running(shares: Sequence[float]) -> list[float]:
    total, sums = 0.0, []
    for share in shares:
        total += share
        sums.append(total)
    return sums
