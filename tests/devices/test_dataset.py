from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.dataset import PictureFile, PictureSet, choose, discover


def put(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def test_recordings_and_pictures_are_told_apart(tmp_path: Path) -> None:
    put(
        tmp_path,
        "bearings/test/a.npz",
        "bearings/test/b.wav",
        "tiles/test/free/1.jpg",
        "tiles/test/crack/2.JPG",
        "tiles/masks/2.png",
        "tiles/boxes/2.xml",
        "notes.txt",
    )
    (tmp_path / "bearings" / "manifest.csv").write_text("split,file,label,fault_class4\ntest,a.npz,IR007,IR\n")
    (tmp_path / "tiles" / "manifest.csv").write_text("split,file,label\ntest,free/1.jpg,free\n")
    found = discover(tmp_path)
    assert [(each.name, each.label) for each in found.recordings] == [("a", "IR"), ("b", None)]
    (tiles,) = found.pictures
    assert tiles.name == "tiles"
    assert tiles.files == (PictureFile("crack/2.JPG", "crack"), PictureFile("free/1.jpg", "free"))


def test_a_folder_of_classes_alone_is_a_set(tmp_path: Path) -> None:
    put(tmp_path / "parts", "ok/1.png", "ng/2.png")
    (parts,) = discover(tmp_path / "parts").pictures
    assert (parts.name, parts.labels) == ("parts", frozenset({"ok", "ng"}))


def test_recordings_of_one_name_keep_apart(tmp_path: Path) -> None:
    put(tmp_path, "one/x.csv", "two/x.csv")
    assert [each.name for each in discover(tmp_path).recordings] == ["one-x.csv", "two-x.csv"]


def test_a_missing_folder_says_what_data_means(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="DATA names"):
        discover(tmp_path / "no")


def test_the_real_data(real_data: Path) -> None:
    found = discover(real_data)
    assert len(found.recordings) >= 1
    assert all(each.label in {"normal", "IR", "B", "OR"} for each in found.recordings)
    assert {"free", "crack"} <= {label for each in found.pictures for label in each.labels}


@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=8), most=st.integers(8, 200))
def test_a_choice_is_spread_and_bounded(sizes: list[int], most: int) -> None:
    files = tuple(PictureFile(f"{label}/{n}", str(label)) for label, size in enumerate(sizes) for n in range(size))
    (chosen,) = choose([PictureSet("s", Path("/s"), files)], most)
    assert len(chosen.files) == min(most, len(files))
    assert len(set(chosen.files)) == len(chosen.files)
    assert set(chosen.files) <= set(files)
    counts = np.array([sum(each.label == str(label) for each in chosen.files) for label in range(len(sizes))])
    cut = counts < np.array(sizes)
    if cut.any():  # a class is only cut down where no other got more than one beyond it
        assert counts.max() <= counts[cut].min() + 1
