"""``python -m models.training.committed [PACKAGE ...]``: what the committed files themselves say of all the data.

Writes `accuracy.these_files` (by precision and group), `reference.input` and `reference.looks` on the cards, from the
data through the module's own pre-processing, without training anything. `tests/models/test_cards.py` computes the same
and compares.
"""

import argparse
import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import orjson
from numpy.typing import NDArray

from models.training.figures import placed, share
from models.training.sources import picture
from modules.inference.card import Card, PicturePrepare, read_card
from modules.inference.looks import histograms, usual
from modules.inference.pictures import prepare_pixels
from modules.inference.prepare import prepare_and_look
from modules.inference.runner import FILES, Runner

ROOT: Final = Path(__file__).resolve().parents[1]
SETS: Final = {"tile": "magnetic_tile", "steel": "neu_det", "bearing": "cwru_de12k"}
SPLIT: Final = "all of the data, which these very files were trained on: what a test can recompute, no measure of skill"
_G: Final = 9.80665  # m/s2
_FAULTS: Final = {"normal": "normal", "IR": "inner_race", "B": "ball", "OR": "outer_race"}
_AT_ONCE: Final = 64


@dataclass(frozen=True, slots=True)
class Example:
    """One picture, or one window of a recording."""

    group: str  # the manifest's label of a picture; the file of a recording
    truth: str  # one of the card's labels
    body: bytes
    facts: Mapping[str, float]
    mask: Path | None = None  # where the defect is marked


def examples(card: Card, data: Path) -> Iterator[Example]:
    """All of the data that the package `card` was trained on, as it would come off the wire."""
    folder = data / SETS[card.name]
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
    for row in rows:
        path = folder / row["split"] / row["file"]
        if card.name == "bearing":
            yield from _windows(path, card)
        else:
            truth = row["label"] if card.name == "steel" else "ok" if row["label"] == "free" else "defect"
            mask = (folder / "masks" / row["file"]).with_suffix(".png")
            yield Example(row["label"], truth, path.read_bytes(), {}, mask if truth == "defect" else None)


def _windows(path: Path, card: Card) -> Iterator[Example]:
    how = card.prepare
    assert how.kind != "picture"
    with np.load(path, allow_pickle=False) as archive:
        signal = archive["signal"].astype(np.float64) * _G
        facts = {"rate": float(archive["fs_hz"]), "rpm": float(archive["rpm"])}
        truth = _FAULTS[str(archive["fault"])]
    length = round(how.seconds * facts["rate"])
    for start in range(0, len(signal) - length + 1, length // 2):
        yield Example(path.stem, truth, signal[start : start + length].astype("<f4").tobytes(), facts)


def judged(folder: Path, data: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """`accuracy.these_files`, and `input` and `looks` of the `reference`, of the package in `folder`, from the data."""
    runners = {precision: Runner(folder, precision=precision) for precision in FILES}
    card = read_card(folder)
    # Statistics are taken where a card names some; here all of them are wanted.
    asking = card.model_copy(update={"reference": card.reference.model_copy(update={"input": {"": (0.0, 0.0)}})})
    groups: dict[str, dict[str, list[int]]] = {precision: {} for precision in FILES}
    maps: dict[str, list[tuple[NDArray[np.float32], NDArray[np.float32]]]] = {precision: [] for precision in FILES}
    looks = []
    every = examples(card, data)
    while part := list(islice(every, _AT_ONCE)):
        prepared = [prepare_and_look(each.body, each.facts, asking) for each in part]
        looks += [look for _, look in prepared]
        for precision, runner in runners.items():
            probabilities, heat = runner.model.run(runner.inputs([row for row, _ in prepared]))
            if heat is not None:
                maps[precision].extend(_meetings(part, heat, card))
            for each, label in zip(part, probabilities.argmax(axis=1), strict=True):
                count = groups[precision].setdefault(each.group, [0, 0])
                count[0] += card.labels[int(label)] == each.truth
                count[1] += 1
    table = {
        precision: share(sum(right for right, _ in counts.values()), sum(total for _, total in counts.values()))
        for precision, counts in groups.items()
    }
    by_group = {
        precision: {group: {"right": right, "total": total} for group, (right, total) in sorted(counts.items())}
        for precision, counts in groups.items()
    }
    heat_table = {
        precision: placed([each for each, _ in pairs], [each for _, each in pairs])
        for precision, pairs in maps.items()
        if pairs
    }
    told = {"split": SPLIT, **table, "groups": by_group, **({"heat": heat_table} if heat_table else {})}
    return told, {"input": usual(looks), "looks": histograms(looks)}


def _meetings(
    part: Sequence[Example], heat: NDArray[np.float32], card: Card
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Heat map and mask, as the marked share of each of the map's cells, of the defects that somebody marked."""
    assert isinstance(card.prepare, PicturePrepare)
    how = card.prepare.model_copy(update={"interpolation": "area", "standardise": False, "mean": (0.0,), "std": (1.0,)})
    for each, found in zip(part, heat, strict=True):
        if each.mask is None or not each.mask.exists():
            continue
        marked = np.where(picture(each.mask) > 127, np.uint8(255), np.uint8(0))
        whole = np.asarray(prepare_pixels(marked, how, "uint8"), np.float32)[0] / 255
        cells = np.asarray(cv2.resize(whole, found.shape[::-1], interpolation=cv2.INTER_AREA), np.float32)
        if cells.any():
            yield found, cells


def main() -> None:
    """Write the cards anew."""
    parser = argparse.ArgumentParser(prog="python -m models.training.committed", description=__doc__)
    parser.add_argument("packages", nargs="*", default=[], help=f"of {', '.join(SETS)}; all when none is named")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MILLWATCH_DATA", "../shared/data")))
    options = parser.parse_args()
    for name in options.packages or SETS:
        table, reference = judged(ROOT / name, options.data)
        path = ROOT / name / "card.json"
        document = orjson.loads(path.read_bytes())
        document["accuracy"]["these_files"] = table
        document["reference"] |= reference
        path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        read_card(ROOT / name)
        told = ", ".join(f"{each} {table[each]['right']} of {table[each]['total']}" for each in FILES)
        print(f"{name}: {told}")


if __name__ == "__main__":
    main()
