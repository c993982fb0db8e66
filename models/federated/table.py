"""What federated learning is worth, and what one lying gateway does to it: real tiles, five gateways, by tile.

The frozen network is the one of `models/steel`, which is as ImageNet left it and has seen no tile. Tiles (all pictures
of a tile together) are dealt to five folds, and those of the other four folds to five gateways: whatever is judged, no
gateway has seen. Each of the five lies in turn.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.federated.head import Floats, Head, Pace, learnt, softmax
from models.federated.network import Base, Eyes, read_base, write_frozen
from models.federated.strategies import NAMES, joined
from modules.inference.card import read_card

MODELS: Final = Path(__file__).resolve().parents[1]
FOLDS: Final = 5
GATEWAYS: Final = 5
ROUNDS: Final = 10
PACE: Final = Pace()
SIDE: Final = 192
LOUD: Final = 10.0
SLY: Final = 3.0  # near what the server still believes

Positions = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Tiles:
    """Scaled features of all pictures, what each is (1: defect), and of which tile."""

    features: Floats
    truth: Positions
    group: Positions


def tile_base(folder: Path) -> Base:
    """A package for tiles with the frozen network of `models/steel` and a head that says nothing yet."""
    steel, tile = read_base(MODELS / "steel"), read_card(MODELS / "tile")
    card = tile.model_copy(
        update={
            "name": "tilehead",
            "version": "1.0.0",
            "title": "Magnetic tiles: OK or defective; a head on a network that has seen none",
            "input": steel.card.input.model_copy(update={"shape": (1, SIDE, SIDE)}),
            "output": steel.card.output,
            "prepare": steel.card.prepare.model_copy(update={"width": SIDE, "height": SIDE}),
            "reference": tile.reference.model_copy(update={"edges": (), "shares": ()}),
            "training": {"transfer": steel.card.training["transfer"], "how": "nothing learnt of tiles yet"},
        }
    )
    write_frozen(steel, card, MODELS / "tile", folder)
    return read_base(folder)


def tiles(data: Path, base: Base) -> Tiles:
    """All the pictures of the set, through the package's own pre-processing."""
    folder = data / "magnetic_tile"
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
    eyes = Eyes(base)
    features = np.concatenate([eyes([((folder / "train" / row["file"]).read_bytes(), {})]) for row in rows])
    truth = np.array([row["label"] != "free" for row in rows], np.int64)
    return Tiles(features, truth, np.array([int(row["tile_group"]) for row in rows], np.int64))


Answer = tuple[Head, int]
Lie = Callable[[Head, Head, Floats, Positions], Answer]  # start, home, features, truth


def honest(start: Head, home: Head, features: Floats, truth: Positions) -> Answer:
    """What a gateway answers in a round."""
    return learnt(start, home, features, truth, PACE), len(truth)


def reversed_(times: float) -> Lie:
    """So many times the way it should have gone, backwards."""

    def lie(start: Head, home: Head, features: Floats, truth: Positions) -> Answer:
        right = learnt(start, home, features, truth, PACE)
        weight, bias = right.weight - start.weight, right.bias - start.bias
        return Head(start.weight - times * weight, start.bias - times * bias), len(truth)

    return lie


def swapped(start: Head, home: Head, features: Floats, truth: Positions) -> Answer:
    """Honest work on labels that are swapped: nothing about the answer looks odd."""
    return honest(start, home, features, 1 - truth)


LIES: Final[Mapping[str, Lie | None]] = {
    "no liar": None,
    "swapped labels": swapped,
    "10 x reversed": reversed_(LOUD),
    "3 x reversed": reversed_(SLY),
}


def federated(parts: list[tuple[Floats, Positions]], home: Head, name: str, lie: Lie | None, liar: int) -> Head:
    """The head after all rounds of one strategy; gateway `liar` lies where there is a lie."""
    head = home
    for _ in range(ROUNDS):
        answers = [
            (lie if lie is not None and number == liar else honest)(head, home, *part)
            for number, part in enumerate(parts)
        ]
        head = joined(name, home, head, answers)
    return head


def alone(features: Floats, truth: Positions, home: Head) -> Head:
    """As many steps as the rounds have, on these samples alone."""
    pace = Pace(PACE.steps * ROUNDS, PACE.pull)
    return learnt(home, home, features, truth, pace)


@dataclass(frozen=True, slots=True)
class Found:
    """How well one way of learning does on tiles that were held out: AUROC and share right, a figure for each run."""

    way: str
    liar: str
    auroc: tuple[float, ...]
    right: tuple[float, ...]

    def line(self) -> str:
        """A row of the table in the guide: means, and the worst run's AUROC."""
        return (
            f"| {self.way} | {self.liar} | {np.mean(self.auroc):.3f} | {min(self.auroc):.3f} "
            f"| {100 * np.mean(self.right):.1f} % |"
        )


def compared(data: Tiles, home: Head, folds: int = FOLDS, strategies: tuple[str, ...] = NAMES) -> Iterator[Found]:
    """Each way of learning over the folds (`folds` of them)."""
    random = np.random.default_rng(0)
    order = random.permutation(np.unique(data.group))
    fold_of = dict(zip(order.tolist(), np.arange(len(order)) % FOLDS, strict=True))
    fold = np.array([fold_of[each] for each in data.group.tolist()])
    splits = []
    for held in range(folds):
        mine = [each for each in order.tolist() if fold_of[each] != held]
        gateway_of = {each: number % GATEWAYS for number, each in enumerate(mine)}
        gateway = np.array([gateway_of.get(each, -1) for each in data.group.tolist()])
        splits.append((held, [(data.features[gateway == n], data.truth[gateway == n]) for n in range(GATEWAYS)]))

    def judged(way: str, liar: str, heads: Iterator[tuple[int, Head]]) -> Found:
        figures = [_figures(head, data.features[fold == held], data.truth[fold == held]) for held, head in heads]
        return Found(way, liar, tuple(a for a, _ in figures), tuple(b for _, b in figures))

    yield judged("all samples in one place", "", ((held, alone(*_together(parts), home)) for held, parts in splits))
    yield judged("each gateway alone", "", ((held, alone(*part, home)) for held, parts in splits for part in parts))
    for name in strategies:
        for liar, lie in LIES.items():
            heads = ((held, federated(parts, home, name, lie, held % GATEWAYS)) for held, parts in splits)
            yield judged(f"federated, {name}", liar, heads)


def _together(parts: list[tuple[Floats, Positions]]) -> tuple[Floats, Positions]:
    return np.concatenate([part for part, _ in parts]), np.concatenate([part for _, part in parts])


def _figures(head: Head, features: Floats, truth: Positions) -> tuple[float, float]:
    """AUROC (Mann-Whitney) and share right at 0.5."""
    bad = softmax(head.scores(features))[:, 1]
    order = bad.argsort(kind="stable")
    rank = np.empty(len(bad))
    rank[order] = np.arange(1, len(bad) + 1)
    defects = int(truth.sum())
    auroc = (rank[truth == 1].sum() - defects * (defects + 1) / 2) / (defects * (len(truth) - defects))
    return float(auroc), float(((bad > 0.5) == (truth == 1)).mean())
