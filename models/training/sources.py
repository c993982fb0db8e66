"""The data sets, read from where they lie; nothing of them is written into the repository."""

import csv
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

FOLDS = 5

TERMS = {
    "cwru_de12k": {
        "data": "Case Western Reserve University Bearing Data Center, 12 kHz drive end, 28 recordings",
        "terms": "public download, credit to CWRU; no licence stated; the data is not part of this repository",
    },
    "magnetic_tile": {
        "data": "Huang, Qiu, Yuan: Surface defect saliency of magnetic tile, The Visual Computer (2018), 1009 pictures",
        "terms": "'welcomed to use', cite the paper; no licence file; the data is not part of this repository",
    },
    "neu_det": {
        "data": "Song, Yan: NEU surface defect database, Applied Surface Science 285 (2013), 1217 pictures",
        "terms": "free for research, cite the paper; no licence stated; the data is not part of this repository",
    },
}


def manifest(folder: Path) -> list[Mapping[str, str]]:
    """The rows of a set's manifest.csv that are there for training."""
    with (folder / "manifest.csv").open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["split"] == "train"]


def picture(path: Path) -> NDArray[np.uint8]:
    """A grey picture. Raises FileNotFoundError."""
    pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if pixels is None:
        raise FileNotFoundError(path)
    return np.asarray(pixels, np.uint8)


def folds(groups: NDArray[np.int64], strata: NDArray[np.int64]) -> NDArray[np.int64]:
    """The fold of each row, the same each time."""
    return grouped_folds(groups, strata, FOLDS, np.random.default_rng(0))


def grouped_folds(
    groups: NDArray[np.int64], strata: NDArray[np.int64], count: int, random: np.random.Generator
) -> NDArray[np.int64]:
    """A fold for each row: rows of one group stay together, each stratum's groups are spread evenly."""
    fold_of: dict[int, int] = {}
    for stratum in np.unique(strata):
        members = [int(g) for g in np.unique(groups[strata == stratum]) if int(g) not in fold_of]
        random.shuffle(members)
        begin = int(random.integers(count))
        fold_of.update({group: (begin + i) % count for i, group in enumerate(members)})
    return np.array([fold_of[int(group)] for group in groups])


def wave_body(signal: NDArray[np.float64]) -> bytes:
    """Samples as they come off the wire: float32, little endian."""
    return signal.astype("<f4").tobytes()
