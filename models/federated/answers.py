"""What a server believes of the gateways' answers. Pure.

One bad answer must not spoil a round, and none may weigh what it likes. So an answer that is no head of the right
shape, is not finite or claims an odd number of samples is none; and of those that are, one that goes far from the head
of the round, by the measure of the others, is left out. What looks like honest work and is wrong passes here, as labels
that somebody has swapped: against that the server takes a trimmed mean or a median.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from models.federated.head import Floats, Head

WEIGHT: Final = "weight"
BIAS: Final = "bias"
EXAMPLES: Final = "num-examples"  # Flower's name for it
MOST_EXAMPLES: Final = 100_000  # of one gateway; more is a claim that nobody believes
FARTHEST: Final = 5.0  # medians of the round; honest gateways went 1.3 at most on real tiles, 2.2 on made-up bearings


def fault(arrays: Mapping[str, Floats], counts: Mapping[str, object], home: Head) -> str:
    """Why arrays and counts by name are no answer; empty where they are one. `home` has the shapes."""
    if set(arrays) != {WEIGHT, BIAS} or set(counts) != {EXAMPLES}:
        return "it holds more, or less, than a head and a count"
    number = counts[EXAMPLES]
    if not isinstance(number, int) or not 1 <= number <= MOST_EXAMPLES:
        return f"{number} samples"
    if not Head(arrays[WEIGHT], arrays[BIAS]).sound(home):
        return "its head has other shapes, or numbers that are none"
    return ""


def too_far(heads: Sequence[Head], start: Head) -> list[bool]:
    """Of each head, whether it went farther from `start` than FARTHEST times the median of them all."""
    went = np.array([each.away(start) for each in heads])
    return [bool(each) for each in went > FARTHEST * np.median(went)] if len(went) else []
