"""Archives that are none of ours, and what is left on disk: nothing but what was verified is ever found."""

import io
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet.model.archive import pack
from modules.inference.updates.archive import unpack
from modules.inference.updates.reasons import Refused
from modules.inference.updates.store import Store

MakePackage = Callable[..., Path]
TARGET = "picture/made-up/1.0.0"
MB = 1 << 20


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 3) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.size = kind, link, size if kind == tarfile.REGTYPE else 0
    return entry


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def archive(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w") as tar:
        for each in members:
            tar.addfile(each, io.BytesIO(b"x" * each.size))
    return path


@pytest.mark.parametrize(
    "entry",
    [
        member("../outside"),
        member("/etc/passwd"),
        member("folder/file"),
        member("."),
        member(".."),
        member("a\nb"),
        member("link", tarfile.SYMTYPE, "/etc/passwd"),
        member("hard", tarfile.LNKTYPE, "good"),
        member("folder", tarfile.DIRTYPE),
        member("device", tarfile.CHRTYPE),
        member("pipe", tarfile.FIFOTYPE),
        member("good"),  # a second time
        member("large", size=2 * MB),
    ],
)
def test_what_is_no_plain_file_in_the_folder_is_refused(tmp_path: Path, entry: tarfile.TarInfo) -> None:
    into = tmp_path / "into"
    into.mkdir()
    before = names(tmp_path)
    with pytest.raises(Refused) as refusal:
        unpack(archive(tmp_path / "a.tar", member("good"), entry), into, MB)
    assert refusal.value.reason == "archive"
    assert names(into) == ["good"]
    assert names(tmp_path) == sorted([*before, "a.tar"])


def test_too_many_files(tmp_path: Path) -> None:
    (tmp_path / "into").mkdir()
    with pytest.raises(Refused):
        unpack(archive(tmp_path / "a.tar", *(member(f"f{number}") for number in range(40))), tmp_path / "into", MB)


@given(cut=st.integers(0, 10_239), place=st.integers(0, 1000), value=st.integers(0, 255))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_a_damaged_archive_is_refused_or_taken_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, cut: int, place: int, value: int
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    path = archive(folder / "a.tar", member("one"), member("two"))
    body = bytearray(path.read_bytes())
    body[place] = value
    path.write_bytes(body[: max(cut, place + 1)])
    (folder / "into").mkdir()
    try:
        unpack(path, folder / "into", MB)
    except Refused as refusal:
        reason = refusal.reason
    else:
        reason = "archive"
    assert reason == "archive"
    assert names(folder) == ["a.tar", "into"]
    shutil.rmtree(folder)


@pytest.fixture
def packed(make_package: MakePackage, tmp_path: Path) -> Path:
    path = tmp_path / "package.tar"
    path.write_bytes(pack(make_package()).body)
    return path


def test_the_same_package_gives_the_same_bytes(make_package: MakePackage) -> None:
    folder = make_package()
    first = pack(folder)
    os.utime(folder / "card.json", (1, 1))
    (folder / "model.onnx").chmod(0o600)
    assert pack(folder) == first


def test_a_package_that_was_verified_is_found_after_a_restart(packed: Path, tmp_path: Path) -> None:
    folder = Store(tmp_path / "s").install(TARGET, packed, MB)
    assert Store(tmp_path / "s").find(TARGET) == folder
    assert Store(tmp_path / "s").targets() == [TARGET]


def test_a_package_that_changed_on_disk_is_not_found(packed: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    folder = store.install(TARGET, packed, MB)
    with (folder / "card.json").open("ab") as file:
        file.write(b" ")
    assert store.find(TARGET) is None
    store.install(TARGET, packed, MB)
    (folder / "model.onnx").unlink()
    assert store.find(TARGET) is None


def test_a_folder_without_its_mark_is_none(packed: Path, tmp_path: Path) -> None:
    """As a kill between the two leaves it."""
    store = Store(tmp_path / "s")
    folder = store.install(TARGET, packed, MB)
    folder.with_name("1.0.0.verified").unlink()
    assert store.find(TARGET) is None
    assert store.install(TARGET, packed, MB) == folder


def test_a_package_under_another_s_name(packed: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    with pytest.raises(Refused) as refusal:
        store.install("picture/made-up/2.0.0", packed, MB)
    assert refusal.value.reason == "card"
    assert store.targets() == []
    assert list((tmp_path / "s" / "picture" / "made-up").iterdir()) == []


def test_the_oldest_that_nothing_needs_go_first(
    make_package: MakePackage, picture_card: Callable[..., dict[str, object]], tmp_path: Path
) -> None:
    store = Store(tmp_path / "s")
    targets = [f"picture/made-up/1.{number}.0" for number in range(5)]
    for number, target in enumerate(targets):
        path = tmp_path / f"{number}.tar"
        path.write_bytes(pack(make_package(f"p{number}", picture_card(version=f"1.{number}.0"))).body)
        store.install(target, path, MB)
        os.utime(tmp_path / "s" / f"{target}.verified", (number, number))
    assert store.bound({targets[0]}, 2) == [targets[1], targets[2]]
    assert store.targets() == [targets[0], targets[3], targets[4]]
    assert store.find(targets[1]) is None


def test_one_that_is_removed_while_they_are_listed_is_not_there(packed: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    folder = store.install(TARGET, packed, MB)
    folder.with_name("0.9.0.verified").symlink_to(tmp_path / "gone")  # listed, and not there when it is looked at
    assert store.targets() == [TARGET]
    assert store.bound(set(), 0) == [TARGET]
