"""What stands on the cards under `accuracy`: from the scores of the folds, never from what a model was trained on."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.training import bearing, cards, tiles
from models.training.figures import (
    at_most,
    auroc,
    calibration_error,
    confusion,
    found_at,
    histogram,
    share,
    softmax,
    temperature,
)
from models.training.jobs import EASY_FOLDS, FOLDS, SIZES, Job, picture_folds, result_of
from modules.inference.card import Card, Reference
from modules.inference.decision import Condition, step

FALSE_REJECTS: Final = 0.05
NORMAL: Final = (
    "one recording of 5 s of one bearing. Windows share half of their samples with the next: only windows_apart share "
    "none, and they are what the bound (one-sided, 95 %, Clopper-Pearson) is of. Of machines n is 1: no alarm on it "
    "still allows that 95 % of healthy machines raise one"
)


def judged_picture_card(package: str, dataset: Any, work: Path) -> Card:
    """The card of a picture package with temperature, reference and accuracy."""
    card = cards.picture_card(package, dataset)
    honest = [result_of(Job(package, "honest", fold), work) for fold in range(FOLDS)]
    easy = [result_of(Job(package, "easy", fold), work) for fold in range(EASY_FOLDS[package])]
    rows, scores, int8 = (np.concatenate([each[key] for each in honest]) for key in ("rows", "scores", "int8"))
    truth = dataset.bad.astype(int) if package == tiles.NAME else dataset.truth
    heat = temperature(scores, truth[rows])
    table = _tile_figures if package == tiles.NAME else _steel_figures
    figures = table(dataset, rows, softmax(scores, heat))
    int8_figures = table(dataset, rows, softmax(int8, heat))
    fold = picture_folds(package, "honest", dataset)
    accuracy: dict[str, Any] = {
        "honest": {"split": _split_text(package), **figures, "int8": _headline(int8_figures)},
        "by_fold": [_headline(table(dataset, np.flatnonzero(fold == k), _fold(honest[k], heat))) for k in range(FOLDS)],
    }
    if easy:
        easy_rows, easy_scores = (np.concatenate([each[key] for each in easy]) for key in ("rows", "scores"))
        accuracy["easy"] = {
            "split": "picture by picture: other pictures of the same strip are among those learnt from",
            **_headline(table(dataset, easy_rows, softmax(easy_scores, heat))),
        }
    probability = softmax(scores, heat)
    watched = probability[:, 1] if package == tiles.NAME else probability.max(axis=1)
    return card.model_copy(
        update={
            "output": card.output.model_copy(update={"temperature": heat}),
            "reference": Reference.model_validate(histogram(watched)),
            "accuracy": accuracy,
        }
    )


def judged_bearing_card(table: bearing.Windows, work: Path) -> Card:
    """The bearing card."""
    card = cards.bearing_card()
    honest = {size: result_of(Job(bearing.NAME, "honest", size), work) for size in SIZES}
    scores = np.concatenate([_faults_as_they_are(table, each, "scores")[1] for each in honest.values()])
    rows = np.concatenate([_faults_as_they_are(table, each, "scores")[0] for each in honest.values()])
    heat = max(1.0, temperature(scores, table.truth[rows]))
    card = card.model_copy(update={"output": card.output.model_copy(update={"temperature": heat})})
    honest_probability = softmax(scores, heat)
    watched = 1 - honest_probability[:, 0]
    accuracy: dict[str, Any] = {
        "honest": {
            "split": "leave one fault size out: none of the three bearings that are judged was learnt from",
            **{how: _bearing_figures(table, honest, how, card) for how in (bearing.AS_IS, *bearing.CHECKS)},
            "int8": _bearing_figures(table, honest, bearing.AS_IS, card, "int8")["headline"],
        },
        "types left untaught": {
            "how": "of at most one bearing in each fold: the one whose silence makes the inner folds likeliest",
            "noticed": "the idea of silencing a bearing came from looking at all recordings; a trial of it with "
            "four times the made-up machines took ball 14 mil in the fold of 7 mil (-0.79 against -0.83 for outer_race "
            "14 mil): a close call on six bearings",
            **{f"fold of {size} mil": _doubted(each) for size, each in honest.items()},
            "shipped": _doubted(result_of(Job(bearing.NAME, "final"), work)),
        },
        "every type taught": {
            how: _bearing_figures(table, _all(work, "plain"), how, card)["headline"] for how in (bearing.AS_IS,)
        },
        "normal": {
            "n": NORMAL,
            "second half, first half learnt": _normal_figures(table, honest, card, half_only=True),
            "recording not learnt at all": _normal_figures(table, _all(work, "unseen normal"), card, half_only=False),
        },
        "easy": {
            "split": "second half of each recording, first half learnt: every bearing is known",
            **_easy_figures(table, result_of(Job(bearing.NAME, "easy", 0), work), card),
        },
    }
    return card.model_copy(update={"reference": Reference.model_validate(histogram(watched)), "accuracy": accuracy})


def _fold(each: Mapping[str, NDArray[Any]], heat: float) -> NDArray[np.float64]:
    return softmax(each["scores"][np.argsort(each["rows"])], heat)


def _split_text(package: str) -> str:
    what = "tile (tile_group)" if package == tiles.NAME else "block of numbers of each class, that is, strip"
    return f"{FOLDS} folds by {what}: nothing of what is judged was learnt from"


def _tile_figures(dataset: tiles.Tiles, rows: NDArray[np.int64], probability: NDArray[np.float64]) -> dict[str, Any]:
    bad, score = dataset.bad[rows], probability[:, 1]
    said = score >= 0.5
    groups = np.unique(dataset.groups[rows])
    wrong = [int(g) for g in groups if (said != bad)[dataset.groups[rows] == g].mean() > 0.5]
    return {
        "auroc": round(auroc(score, bad), 4),
        "defects_found_at_5_percent_false_rejects": round(found_at(score, bad, FALSE_REJECTS), 4),
        "right": share(int((said == bad).sum()), len(rows)),
        "calibration_error": round(calibration_error(probability.max(axis=1), said == bad), 4),
        "by_label": {
            label: share(
                int((said == bad)[dataset.labels[rows] == label].sum()), int((dataset.labels[rows] == label).sum())
            )
            for label in sorted(set(dataset.labels[rows].tolist()))
        },
        "tiles": share(len(groups) - len(wrong), len(groups)),
        "tiles_mostly_wrong": wrong,
    }


def _steel_figures(dataset: Any, rows: NDArray[np.int64], probability: NDArray[np.float64]) -> dict[str, Any]:
    truth, said = dataset.truth[rows], probability.argmax(axis=1)
    names = np.array(dataset.labels)
    return {
        "right": share(int((truth == said).sum()), len(rows)),
        "calibration_error": round(calibration_error(probability.max(axis=1), truth == said), 4),
        "confusion": confusion(names[truth].tolist(), names[said].tolist()),
    }


def _headline(figures: Mapping[str, Any]) -> dict[str, Any]:
    names = ("auroc", "defects_found_at_5_percent_false_rejects", "right")
    return {name: figures[name] for name in names if name in figures}


Folds = Mapping[int, Mapping[str, NDArray[Any]]]


def _all(work: Path, split: str) -> Folds:
    return {size: result_of(Job(bearing.NAME, split, size), work) for size in SIZES}


def _faults_as_they_are(
    table: bearing.Windows, each: Mapping[str, NDArray[Any]], key: str
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    chosen = (table.how[each["rows"]] == bearing.AS_IS) & (table.truth[each["rows"]] > 0)
    return each["rows"][chosen], each[key][chosen]


def _bearing_figures(table: bearing.Windows, folds: Folds, how: str, card: Card, key: str = "scores") -> dict[str, Any]:
    """Verdicts per recording and bearing as the module would give them, and windows beside them."""
    bearings: dict[str, Any] = {}
    named = noticed = recordings = windows_right = windows_fault = windows = 0
    named_bearings = undetermined = 0
    for size, each in folds.items():
        for truth in range(1, len(bearing.LABELS)):
            rows = each["rows"]
            mine = (table.how[rows] == how) & (table.truth[rows] == truth) & (table.size[rows] == size)
            probability = softmax(each[key][mine], card.output.temperature)
            verdicts = {
                int(load): _final_label(probability[table.load[rows][mine] == load], card)
                for load in np.unique(table.load[rows][mine])
            }
            label = bearing.LABELS[truth]
            right = sum(verdict == label for verdict in verdicts.values())
            named_bearings += right > len(verdicts) / 2
            undetermined += sum(verdict == "undetermined" for verdict in verdicts.values())
            named += right
            noticed += sum(verdict is not None for verdict in verdicts.values())
            recordings += len(verdicts)
            said = probability.argmax(axis=1)
            windows_right += int((said == truth).sum())
            windows_fault += int((said > 0).sum())
            windows += len(said)
            bearings[f"{label} {size} mil"] = {
                "verdict_by_load_hp": {str(load): verdict or "normal" for load, verdict in verdicts.items()},
                "windows": len(said),
                "windows_by_label": {bearing.LABELS[k]: int((said == k).sum()) for k in range(len(bearing.LABELS))},
            }
    return {
        "headline": {
            "bearings_named": share(named_bearings, len(bearings)),
            "recordings_named": share(named, recordings),
            "recordings_undetermined": undetermined,
            "recordings_alarmed": share(noticed, recordings),
            "windows_named": share(windows_right, windows),
            "windows_not_normal": share(windows_fault, windows),
        },
        "bearings": bearings,
    }


def _normal_figures(table: bearing.Windows, folds: Folds, card: Card, *, half_only: bool) -> dict[str, Any]:
    """False alarms on the real normal recording; a network for each fold judges it."""
    found: dict[str, Any] = {}
    for how in (bearing.AS_IS, *bearing.CHECKS):
        alarms = wrong = count = 0
        for each in folds.values():
            rows = each["rows"]
            mine = (table.how[rows] == how) & (table.size[rows] == 0)
            if half_only:
                mine &= table.half[rows] == 1
            probability = softmax(each["scores"][mine], card.output.temperature)
            wrong += int((probability[:, 0] < 1 - card.decision.threshold).sum())
            alarms += _final_label(probability, card) is not None
            count += len(probability)
        found[how] = normal_told(len(folds), alarms, wrong, count)
    return found


def normal_told(networks: int, alarms: int, wrong: int, count: int) -> dict[str, Any]:
    """What `networks` said of the same windows of one recording; `wrong` of `count` were not normal, all together.

    The bound counts neither a window once for each network nor the half that it shares with the one before.
    """
    windows = count // networks
    apart = (windows + 1) // 2
    return {
        "networks": networks,
        "alarms": alarms,
        "windows": windows,
        "windows_apart": apart,
        "not_normal_over_all_networks": wrong,
        "true_share_of_windows_at_most": round(at_most(math.ceil(wrong * apart / count), apart), 4),
    }


def _doubted(each: Mapping[str, NDArray[Any]]) -> str:
    label, size = (int(part) for part in each["doubted"])
    return f"{bearing.LABELS[label]} {size} mil" if label else "none"


def _easy_figures(table: bearing.Windows, each: Mapping[str, NDArray[Any]], card: Card) -> dict[str, Any]:
    rows = each["rows"]
    mine = (table.how[rows] == bearing.AS_IS) & (table.half[rows] == 1)
    said = softmax(each["scores"][mine], card.output.temperature).argmax(axis=1)
    return {"windows_named": share(int((said == table.truth[rows][mine]).sum()), int(mine.sum()))}


def _final_label(probability: NDArray[np.float64], card: Card) -> str | None:
    """The label the module's condition stands raised with after these windows, if it does."""
    condition = Condition()
    for row in probability:
        condition = step(condition, row.tolist(), card).condition
    return condition.raised
