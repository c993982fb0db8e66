"""What a folder of real data holds: recordings and pictures, with their labels where they tell them. Only listing.

Any folder will do. A recording is a file of samples (.npz, .mat, .wav, .csv); a picture is an image whose folder's
name is its class. Folders called ``masks`` or ``boxes`` describe pictures and are passed over, and ``manifest.csv`` is
read for labels instead of being taken for a recording.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

RECORDINGS = frozenset({".npz", ".mat", ".wav", ".csv"})
PICTURES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"})
DESCRIPTIONS = frozenset({"masks", "boxes", "annotations"})
MANIFEST = "manifest.csv"
SPLITS = frozenset({"train", "test", "valid", "validation", "holdout", "eval", "data", "images"})


@dataclass(frozen=True, slots=True)
class RecordingFile:
    """One recording. ``label`` is the fault it is known to show, ``normal`` for none, None where nobody says."""

    path: Path
    name: str
    label: str | None


@dataclass(frozen=True, slots=True)
class PictureFile:
    """One picture, its path below its set's root, and the class that its folder names."""

    path: str
    label: str


@dataclass(frozen=True, slots=True)
class PictureSet:
    """Pictures of one kind of product: a root folder and the files below it."""

    name: str
    root: Path
    files: tuple[PictureFile, ...]

    @property
    def labels(self) -> frozenset[str]:
        """The classes that occur."""
        return frozenset(each.label for each in self.files)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Everything found below one folder."""

    recordings: tuple[RecordingFile, ...]
    pictures: tuple[PictureSet, ...]


def discover(root: Path) -> Dataset:
    """List ``root``; FileNotFoundError where it is no folder."""
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is not a folder: DATA names the folder with recordings and pictures")
    labels = dict(_manifest_labels(root))
    recordings: list[RecordingFile] = []
    pictures: dict[Path, list[PictureFile]] = defaultdict(list)
    for path in sorted(root.rglob("*")):
        if path.name == MANIFEST or DESCRIPTIONS & {part.lower() for part in path.relative_to(root).parts}:
            continue
        suffix = path.suffix.lower()
        if suffix in RECORDINGS and path.is_file():
            recordings.append(RecordingFile(path, path.stem, labels.get(path.resolve())))
        elif suffix in PICTURES and path.is_file():
            top = _set_root(root, path)
            pictures[top].append(PictureFile(path.relative_to(top).as_posix(), path.parent.name))
    sets = tuple(PictureSet(_set_name(root, top), top, tuple(files)) for top, files in sorted(pictures.items()))
    return Dataset(tuple(_distinct(recordings)), sets)


def _set_root(root: Path, picture: Path) -> Path:
    """The folder above the class folder."""
    above = picture.parent.parent
    return above if above.is_relative_to(root) else picture.parent


def _set_name(root: Path, top: Path) -> str:
    """A name for the set: its folder's, or the one above where that only names a split."""
    for folder in (top, *top.parents):
        if folder.name.lower() not in SPLITS and folder.name:
            return folder.name
        if folder == root:
            break
    return root.name or "pictures"


def _manifest_labels(root: Path) -> Iterator[tuple[Path, str]]:
    """The label of each recording that a manifest.csv names: columns split, file and label, as far as they stand."""
    for manifest in root.rglob(MANIFEST):
        with manifest.open(newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                label = row.get("fault_class4") or row.get("fault") or row.get("label")
                name = row.get("file")
                if not label or not name or Path(name).suffix.lower() not in RECORDINGS:
                    continue
                for folder in (manifest.parent / (row.get("split") or "."), manifest.parent):
                    yield (folder / name).resolve(), label


def _distinct(recordings: Sequence[RecordingFile]) -> Iterator[RecordingFile]:
    """The recordings, each under a name of its own: the file's stem, with its folder's where two are alike."""
    seen: dict[str, int] = defaultdict(int)
    for each in recordings:
        seen[each.name] += 1
    for each in recordings:
        name = each.name if seen[each.name] == 1 else f"{each.path.parent.name}-{each.name}{each.path.suffix}"
        yield RecordingFile(each.path, name, each.label)


def choose(pictures: Sequence[PictureSet], most: int) -> tuple[PictureSet, ...]:
    """At most ``most`` pictures in all, spread evenly over sets, classes and each class' order; all, where fewer."""
    classes = {(each.name, label) for each in pictures for label in each.labels}
    if not classes or sum(len(each.files) for each in pictures) <= most:
        return tuple(pictures)
    share = _shares(
        {key: sum(_belongs(key, each, file) for each in pictures for file in each.files) for key in classes}, most
    )
    chosen = []
    for each in pictures:
        files: list[PictureFile] = []
        for label in sorted(each.labels):
            all_of_it = [file for file in each.files if file.label == label]
            count = share[each.name, label]
            files += [all_of_it[index * len(all_of_it) // count] for index in range(count)]
        chosen.append(PictureSet(each.name, each.root, tuple(files)))
    return tuple(chosen)


def _belongs(key: tuple[str, str], pictures: PictureSet, file: PictureFile) -> bool:
    return key == (pictures.name, file.label)


def _shares(sizes: Mapping[tuple[str, str], int], most: int) -> dict[tuple[str, str], int]:
    """How many of each class: an equal share, and what small classes leave over goes to the larger ones."""
    shares: dict[tuple[str, str], int] = {}
    left = most
    for place, (key, size) in enumerate(sorted(sizes.items(), key=lambda item: (item[1], item[0]))):
        shares[key] = min(size, max(1, left // (len(sizes) - place)))
        left -= shares[key]
    return shares
