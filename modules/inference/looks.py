"""How an input looks before it is prepared, so that one far from what the model knows is noticed. Pure.

A model answers whatever it is shown; a dark camera or a loose sensor gives confident nonsense. The card's
`reference.input` has the usual range of each statistic.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_STEP: Final = 4  # every fourth pixel each way tells mean and deviation as well as all of them
_USUAL: Final = (0.005, 0.995)
_MARGIN: Final = 0.5  # of the usual range, on both sides
_LEAST: Final = 0.5  # of the lowest usual value: lower is odd, however wide the range


def picture_looks(pixels: NDArray[np.uint8]) -> dict[str, float]:
    """Of pixels (h, w) or (h, w, 3), 0 to 255: `mean` and `deviation`."""
    some = pixels[::_STEP, ::_STEP]
    return {"mean": float(some.mean()), "deviation": float(some.std())}


def wave_looks(samples: NDArray[np.floating[Any]]) -> dict[str, float]:
    """Of a window's samples, shape (n,), in their own unit: `rms` about the mean, and `crest`, peak over rms."""
    values = np.asarray(samples, np.float64) - np.mean(samples)
    rms = float(np.sqrt(np.mean(values * values)))
    return {"rms": rms, "crest": float(np.abs(values).max()) / rms if rms > 0 else 0.0}


def odd(looks: Mapping[str, float], usual: Mapping[str, tuple[float, float]]) -> list[str]:
    """What lies outside its usual range, in words; nothing for a statistic that was not taken."""
    return [
        f"{name} {looks[name]:.3g} is outside {low:.3g} to {high:.3g}"
        for name, (low, high) in usual.items()
        if name in looks and not low <= looks[name] <= high
    ]


def usual(seen: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, float]]:
    """The card's `reference.input` of many inputs.

    0.5 to 99.5 % of each statistic, wider by half of that range each way, downward by half of the value at most.
    """
    ranges = {}
    for name in seen[0] if seen else ():
        low, high = np.quantile([each[name] for each in seen], _USUAL)
        margin = _MARGIN * (high - low)
        # No statistic is negative: a wide range would reach down to 0, where the dark camera and the loose sensor are.
        least = max(float(low - margin), _LEAST * float(low))
        ranges[name] = (float(f"{least:.6g}"), float(f"{float(high + margin):.6g}"))
    return ranges


def histograms(seen: Sequence[Mapping[str, float]], bins: int = 10) -> dict[str, dict[str, list[float]]]:
    """The card's `reference.looks` of many inputs: bins of equal shares between the smallest and largest value."""
    found = {}
    for name in seen[0] if seen else ():
        values = np.array([each[name] for each in seen])
        edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)))
        if len(edges) > 2:
            shares = np.histogram(values, edges)[0] / len(values)
            found[name] = {"edges": edges.tolist(), "shares": shares.tolist()}
    return found
