"""The figures on a card. Pure numpy."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def softmax(values: NDArray[np.float64], temperature: float = 1.0) -> NDArray[np.float64]:
    """Probabilities of scores (n, labels)."""
    scaled = values / temperature
    weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def auroc(score: NDArray[np.floating[Any]], positive: NDArray[np.bool_]) -> float:
    """Area under the ROC curve: the probability that a positive scores higher than a negative (ties count half)."""
    order = np.argsort(score, kind="mergesort")
    ranks = np.empty(len(score))
    _, first, counts = np.unique(score[order], return_index=True, return_counts=True)
    ranks[order] = np.repeat(first + (counts + 1) / 2, counts)
    yes, no = int(positive.sum()), int((~positive).sum())
    return float((ranks[positive].sum() - yes * (yes + 1) / 2) / (yes * no))


def found_at(score: NDArray[np.floating[Any]], positive: NDArray[np.bool_], false_share: float) -> float:
    """Share of positives above the score that `false_share` of the negatives pass."""
    limit = np.quantile(score[~positive], 1 - false_share, method="higher")
    return float((score[positive] > limit).mean())


def wilson(right: int, total: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    if total == 0:
        return 0.0, 1.0
    z = 1.959964
    share = right / total
    centre = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * np.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))


def at_most(count: int, total: int, doubt: float = 0.05) -> float:
    """Exact upper bound of a share, one-sided (Clopper and Pearson 1934), of which `count` of `total` were seen.

    The share at which so few would still be seen with probability `doubt`. The trials must be independent: windows that
    overlap are not.
    """
    if count >= total:
        return 1.0
    low, high = count / total, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _seen_at_most(count, total, middle) > doubt else (low, middle)
    return high


def _seen_at_most(count: int, total: int, share: float) -> float:
    """Probability of `count` or fewer of `total` at this share."""
    yes, no = math.log(share) if share > 0 else -math.inf, math.log1p(-share) if share < 1 else -math.inf
    logs = [
        math.lgamma(total + 1)
        - math.lgamma(k + 1)
        - math.lgamma(total - k + 1)
        + (k * yes if k else 0)
        + (total - k) * no
        for k in range(count + 1)
    ]
    return math.fsum(math.exp(each) for each in logs)


def confusion(truth: Sequence[str], said: Sequence[str]) -> dict[str, dict[str, int]]:
    """Counts by true label, then by what was said."""
    table: dict[str, dict[str, int]] = {}
    for right, answer in zip(truth, said, strict=True):
        row = table.setdefault(right, {})
        row[answer] = row.get(answer, 0) + 1
    return {right: dict(sorted(row.items())) for right, row in sorted(table.items())}


def calibration_error(probability: NDArray[np.float64], right: NDArray[np.bool_], bins: int = 10) -> float:
    """Expected calibration error of the top label's probability (Guo et al. 2017), equal bins."""
    which = np.minimum(bins - 1, (probability * bins).astype(int))
    return float(
        sum(
            abs(probability[which == b].mean() - right[which == b].mean()) * (which == b).mean()
            for b in range(bins)
            if (which == b).any()
        )
    )


def temperature(scores: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    """The temperature that makes the scores' probabilities likeliest; searched on a grid of logarithms."""
    grid = np.exp(np.linspace(np.log(0.3), np.log(5.0), 60))
    rows = np.arange(len(truth))
    loss = [-np.log(softmax(scores, t)[rows, truth] + 1e-12).mean() for t in grid]
    return round(float(grid[int(np.argmin(loss))]), 3)


def even_odds(evidence: NDArray[np.floating[Any]], positive: NDArray[np.bool_]) -> tuple[float, float]:
    """What to take off the evidence, and what to divide it by, for the logarithm of the odds (Platt 1999).

    Logistic regression by Newton's method, held back by a little, so that what parts the two wholly has an answer, too.
    """
    middle, spread = float(np.mean(evidence)), max(float(np.std(evidence)), 1e-9)
    rows = np.column_stack([(evidence - middle) / spread, np.ones(len(evidence))])
    weights = np.zeros(2)
    for _ in range(50):
        said = 1 / (1 + np.exp(-rows @ weights))
        bend = rows.T @ (rows * (said * (1 - said))[:, None]) + 0.1 * np.eye(2)
        weights = weights + np.linalg.solve(bend, rows.T @ (positive - said) - 0.1 * weights)
    return round(middle - spread * float(weights[1] / weights[0]), 4), round(spread / float(weights[0]), 4)


def histogram(score: NDArray[np.floating[Any]], bins: int = 20) -> dict[str, Any]:
    """The card's reference for drift: shares of a probability in equal bins."""
    counts, edges = np.histogram(score, bins=bins, range=(0.0, 1.0))
    return {
        "edges": [round(float(edge), 4) for edge in edges],
        "shares": [round(float(count) / max(1, len(score)), 5) for count in counts],
        "count": len(score),
    }


def placed(heats: Sequence[NDArray[np.floating[Any]]], masks: Sequence[NDArray[np.floating[Any]]]) -> dict[str, Any]:
    """How heat maps meet masks, each pair of shape (h, w), the mask a cell's marked share (one above 0 at least).

    `peak_in_mask`: maps whose hottest cell is a marked one or its neighbour; `cell_auroc`: the mean over the pictures
    of how surely a cell marked by half at least is hotter than one that is not marked at all.
    """
    hits, areas = 0, []
    for heat, mask in zip(heats, masks, strict=True):
        y, x = np.unravel_index(int(np.argmax(heat)), heat.shape)
        hits += bool((mask[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2] > 0).any())
        inside = mask >= min(0.5, float(mask.max()))
        clear = mask == 0
        if clear.any():
            areas.append(auroc(heat[inside | clear], inside[inside | clear]))
    return {"peak_in_mask": share(hits, len(heats)), "cell_auroc": round(float(np.mean(areas)), 4)}


def share(right: int, total: int) -> dict[str, Any]:
    """A share with its n and 95 % interval, as it stands on a card."""
    low, high = wilson(right, total)
    return {
        "right": right,
        "total": total,
        "share": round(right / max(1, total), 4),
        "ci95": [round(low, 4), round(high, 4)],
    }
