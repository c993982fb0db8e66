"""What the operator's commands write: a repository that TUF's own client takes, and keys that stay closed."""

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from fleet.exits import Exit

Fleet = Callable[..., int]
MakePackage = Callable[..., Path]


def newest(repository: Path, role: str) -> Path:
    found = (repository / "metadata").glob(f"*.{role}.json")
    return max(found, key=lambda each: int(each.name.split(".")[0]))


def verified(repository: Path) -> Targets:
    """Each role of the repository, proved by its root as a client would; the targets."""
    root = Metadata[Root].from_file(str(newest(repository, "root")))
    timestamp = Metadata[Timestamp].from_file(str(repository / "metadata" / "timestamp.json"))
    number = timestamp.signed.snapshot_meta.version
    snapshot = Metadata[Snapshot].from_file(str(repository / "metadata" / f"{number}.snapshot.json"))
    number = snapshot.signed.meta["targets.json"].version
    targets = Metadata[Targets].from_file(str(repository / "metadata" / f"{number}.targets.json"))
    root.verify_delegate("root", root)
    root.verify_delegate("timestamp", timestamp)
    root.verify_delegate("snapshot", snapshot)
    root.verify_delegate("targets", targets)
    return targets.signed


def test_keys_are_closed_to_others_and_the_operator_s_are_encrypted(begun: Path, tmp_path: Path) -> None:
    verified(begun)
    for name in ("root", "targets", "online"):
        path = tmp_path / "keys" / f"{name}.pem"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        if name == "online":
            load_pem_private_key(path.read_bytes(), None)
        else:
            with pytest.raises(TypeError, match="encrypted"):
                load_pem_private_key(path.read_bytes(), None)


def test_published_packages_are_signed_and_there(
    begun: Path, fleet: Fleet, make_package: MakePackage, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fleet("publish", make_package(), make_package("1.1.0")) == Exit.OK
    said = capsys.readouterr()
    assert said.out == "published picture/tile/1.0.0, picture/tile/1.1.0\n"
    assert [line[:4] for line in said.err.splitlines()] == ["1/5 ", "2/5 ", "3/5 ", "4/5 ", "5/5 "]
    assert "timestamp.json" in said.err.splitlines()[-1]
    signed = verified(begun)
    assert sorted(signed.targets) == ["picture/tile/1.0.0.tar", "picture/tile/1.1.0.tar"]
    for path, target in signed.targets.items():
        folder, _, version = path.rpartition("/")
        body = begun / "targets" / folder / f"{target.hashes['sha256']}.{version}"
        target.verify_length_and_hashes(body.read_bytes())


def test_a_version_cannot_become_something_else(
    begun: Path, fleet: Fleet, make_package: MakePackage, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet("publish", make_package())
    before = newest(begun, "targets")
    assert fleet("publish", make_package(body=b"another")) == Exit.CONTENT
    assert "give it a new version" in capsys.readouterr().err
    assert newest(begun, "targets") == before


@pytest.mark.parametrize("what", ["changed", "extra", "gone", "no card"])
def test_what_is_no_package_is_not_signed(
    begun: Path, fleet: Fleet, make_package: MakePackage, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    folder = make_package()
    if what == "changed":
        (folder / "model.onnx").write_bytes(b"other")
    elif what == "extra":
        (folder / "notes.txt").write_text("secret")
    else:
        (folder / ("model.onnx" if what == "gone" else "card.json")).unlink()
    assert fleet("publish", folder) == Exit.CONTENT
    assert capsys.readouterr().err.startswith("fleet: ")
    assert verified(begun).targets == {}


@pytest.mark.parametrize("key", ["root", "targets", "online"])
def test_a_key_is_replaced_and_the_chain_holds(
    begun: Path, fleet: Fleet, make_package: MakePackage, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    fleet("publish", make_package())
    first = Metadata[Root].from_file(str(newest(begun, "root")))
    assert fleet("keys", "rotate", key) == Exit.OK
    assert "2.root.json" in capsys.readouterr().out
    second = Metadata[Root].from_file(str(newest(begun, "root")))
    first.verify_delegate("root", second)
    assert list(verified(begun).targets) == ["picture/tile/1.0.0.tar"]
    assert fleet("publish", make_package("1.1.0")) == Exit.OK
    verified(begun)


def test_renewing_raises_version_and_expiry_only(begun: Path, fleet: Fleet) -> None:
    before = json.loads((begun / "metadata" / "timestamp.json").read_bytes())["signed"]
    assert fleet("keys", "renew", "online") == Exit.OK
    after = json.loads((begun / "metadata" / "timestamp.json").read_bytes())["signed"]
    assert after["version"] == before["version"] + 1
    assert newest(begun, "targets").name == "1.targets.json"
    assert fleet("keys", "renew", "root") == Exit.OK
    assert newest(begun, "root").name == "2.root.json"
    verified(begun)


def test_a_dry_run_writes_nothing(
    begun: Path, fleet: Fleet, make_package: MakePackage, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(begun.rglob("*"))
    assert fleet("publish", make_package(), "--dry-run") == Exit.OK
    assert fleet("keys", "rotate", "root", "--dry-run") == Exit.OK
    assert "would sign picture/tile/1.0.0" in capsys.readouterr().out
    assert sorted(begun.rglob("*")) == before


def test_a_wrong_passphrase_and_a_missing_key_are_said(
    begun: Path, fleet: Fleet, make_package: MakePackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLWATCH_KEY_PASSPHRASE_TARGETS", "wrong horse")
    assert fleet("publish", make_package()) == Exit.CONTENT
    (tmp_path / "keys" / "targets.pem").unlink()
    assert fleet("publish", tmp_path / "package-1.0.0-32d3ec") == Exit.CONTENT
    assert verified(begun).targets == {}


def test_a_second_beginning_is_refused(begun: Path, fleet: Fleet) -> None:
    assert fleet("keys", "create") == Exit.CONTENT
    verified(begun)


def test_list_tells_versions_and_ends(
    begun: Path, fleet: Fleet, make_package: MakePackage, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet("publish", make_package())
    capsys.readouterr()
    assert fleet("list", "--format", "json") == Exit.OK
    told = json.loads(capsys.readouterr().out)
    assert list(told["packages"]) == ["picture/tile/1.0.0"]
    assert told["roles"]["targets"]["version"] == 2
    assert begun.is_dir()
