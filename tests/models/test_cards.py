"""The cards' tables computed again: from the committed files, on the real data, by group, through the module itself.

The tables of the folds (`honest`, `by_fold`, `easy`) come from networks that are not kept; of those, what can be
computed again is how many pictures and windows of each group there are to be judged.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from models.training.committed import SETS, examples, judged
from modules.inference.card import Card, read_card

MODELS = Path(__file__).resolve().parents[2] / "models"
ANOTHER_PROCESSOR = 0.002  # of the total: a borderline case may fall to the other side where sums round otherwise


@pytest.mark.parametrize("name", SETS)
def test_the_committed_files_give_what_the_card_says(name: str, real_data: Path) -> None:
    card = read_card(MODELS / name)
    found, reference = judged(MODELS / name, real_data)
    said = card.accuracy["these_files"]
    assert "no measure of skill" in said["split"]
    for precision in ("fp32", "int8"):
        slack = max(1, round(ANOTHER_PROCESSOR * found[precision]["total"]))
        assert said[precision]["total"] == found[precision]["total"]
        assert abs(said[precision]["right"] - found[precision]["right"]) <= slack
        mine, theirs = found["groups"][precision], said["groups"][precision]
        assert {group: each["total"] for group, each in mine.items()} == {g: e["total"] for g, e in theirs.items()}
        assert sum(abs(mine[group]["right"] - theirs[group]["right"]) for group in mine) <= slack
    if "heat" in found:
        for precision, mine in found["heat"].items():
            theirs = said["heat"][precision]
            assert mine["peak_in_mask"]["total"] == theirs["peak_in_mask"]["total"]
            assert abs(mine["peak_in_mask"]["right"] - theirs["peak_in_mask"]["right"]) <= slack
            assert mine["cell_auroc"] == pytest.approx(theirs["cell_auroc"], abs=2e-3)
    lost = found["fp32"]["right"] - found["int8"]["right"]
    assert lost <= 0.01 * found["fp32"]["total"]  # the design's floor: one point
    assert card.reference.input.keys() == reference["input"].keys()
    for fact, usual in reference["input"].items():
        assert card.reference.input[fact] == pytest.approx(usual, rel=1e-3)
    assert card.reference.looks.keys() == reference["looks"].keys()
    for fact, bins in reference["looks"].items():
        assert card.reference.looks[fact].edges == pytest.approx(bins["edges"], rel=1e-3)
        assert card.reference.looks[fact].shares == pytest.approx(bins["shares"], abs=2e-3)


@pytest.mark.parametrize("name", ["tile", "steel"])
def test_the_honest_tables_are_of_all_the_pictures_there_are(name: str, real_data: Path) -> None:
    card = read_card(MODELS / name)
    counts = Counter(each.group for each in examples(card, real_data))
    tables = dict(_tables(card, counts))
    assert tables, "no table by label under accuracy.honest"
    for where, table in tables.items():
        assert table == counts, where


def _tables(card: Card, counts: Counter[str]) -> list[tuple[str, dict[str, int]]]:
    """Whatever under `honest` is by the manifest's labels: totals of a table of shares, or of a confusion's rows."""
    found = []
    for where, value in card.accuracy["honest"].items():
        if isinstance(value, dict) and set(value) == set(counts):
            found.append((where, {label: _total(row) for label, row in value.items()}))
    return found


def _total(row: Any) -> int:
    return int(row["total"] if "total" in row else sum(row.values()))
