"""A package, a folder for keys and one for the repository, and the command line in this process."""

import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from fleet.__main__ import main

Fleet = Callable[..., int]


@pytest.fixture
def make_package(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a package's folder."""

    def make(version: str = "1.0.0", body: bytes = b"a network") -> Path:
        folder = tmp_path / f"package-{version}-{sha256(body).hexdigest()[:6]}"
        folder.mkdir()
        (folder / "model.onnx").write_bytes(body)
        files = {"model.onnx": sha256(body).hexdigest()}
        card = {"task": "picture", "name": "tile", "version": version, "title": "Tiles", "files": files}
        (folder / "card.json").write_text(json.dumps(card))
        return folder

    return make


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """`fleet model ...` with this test's folders."""
    monkeypatch.setenv("MILLWATCH_KEY_PASSPHRASE", "correct horse")

    def run(*words: object) -> int:
        place = ["--repository", tmp_path / "repository", "--keys", tmp_path / "keys"]
        known = [] if words[0] in ("trial", "promote") else place
        return main(["model", *map(str, [*words, *known])])

    return run


@pytest.fixture
def begun(fleet: Fleet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A repository without packages."""
    assert fleet("keys", "create") == 0
    capsys.readouterr()
    return tmp_path / "repository"


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Path], Path]:
    """A function that copies a folder."""

    def copy(folder: Path) -> Path:
        return Path(shutil.copytree(folder, tmp_path / "copy"))

    return copy
