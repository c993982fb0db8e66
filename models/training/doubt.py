"""Whose type is not to be taught: a choice made on inner folds, never on the bearings that are judged.

Not every recording shows in its envelope what it is called, and one that does not teaches the others' lines by its
name. So the type of at most one of the bearings that are learnt from is left untaught (it still teaches that there is
a fault): none or the one whose silence makes the inner folds likeliest. An inner fold leaves one of the learnt sizes
out in turn; every bearing of it is judged, the silenced one, too.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from models.training import bearing
from models.training.figures import softmax
from models.training.fitting import scores

EPOCHS: Final = 12
EVERY: Final = 4  # made-up machine takes part in the inner folds
FLOOR: Final = 0.01  # of a probability: one window alone does not decide

Doubted = tuple[int, int]  # position in LABELS, size; (0, 0): none


def doubted(table: bearing.Windows, sizes: Sequence[int]) -> Doubted:
    """The bearing whose type is better left untaught when these sizes are learnt from."""
    known: dict[tuple[tuple[int, ...], Doubted], dict[int, float]] = {}
    choices = [(0, 0), *((label, size) for size in sizes for label in range(1, len(bearing.LABELS)))]
    return max(choices, key=lambda choice: _likelihood(table, sizes, choice, known))


def silenced(table: bearing.Windows, choice: Doubted) -> bearing.Windows:
    """The table with that bearing's type untaught."""
    label, size = choice
    return replace(table, quiet=table.quiet | ((table.truth == label) & (table.size == size) & (label > 0)))


def _likelihood(
    table: bearing.Windows,
    sizes: Sequence[int],
    choice: Doubted,
    known: dict[tuple[tuple[int, ...], Doubted], dict[int, float]],
) -> float:
    """Mean over the held-out bearings of the log-probability of their type among the faults."""
    total: list[float] = []
    for held in sizes:
        learnt = tuple(size for size in sizes if size != held)
        key = (learnt, choice if choice[1] in learnt else (0, 0))
        if key not in known:
            known[key] = _judged(table, learnt, held, key[1])
        total.extend(known[key].values())
    return float(np.mean(total))


def _judged(table: bearing.Windows, learnt: tuple[int, ...], held: int, choice: Doubted) -> dict[int, float]:
    made_up = (table.size == bearing.MADE_UP) & (np.arange(len(table.size)) % EVERY == 0)
    normal = (table.size == 0) & (table.half == 0)
    clear = table.how != bearing.CHECKS[1]
    rows = np.flatnonzero(clear & (np.isin(table.size, learnt) | made_up | normal))
    net = bearing.fit(silenced(table, choice), rows, epochs=EPOCHS)
    found = {}
    for label in range(1, len(bearing.LABELS)):
        mine = clear & (table.how != bearing.VARIED) & (table.size == held) & (table.truth == label)
        share = softmax(scores(net, table.features[mine])[:, 1:])[:, label - 1]
        found[label] = float(np.log(share + FLOOR).mean())
    return found
