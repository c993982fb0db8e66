from pathlib import Path

import pytest

from modules.common.snapshot import Snapshot


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    snapshot = Snapshot(tmp_path / "deep" / "state")
    assert snapshot.load() is None
    snapshot.save(b"one")
    snapshot.save(b"two")
    assert snapshot.load() == b"two"


@pytest.mark.parametrize("cut", range(0, 44, 4))
def test_a_torn_file_gives_the_one_before_and_is_set_aside(tmp_path: Path, cut: int) -> None:
    snapshot = Snapshot(tmp_path / "state")
    snapshot.save(b"one")
    snapshot.save(b"two")
    snapshot.path.write_bytes(snapshot.path.read_bytes()[:cut])
    assert snapshot.load() == b"one"
    assert (tmp_path / "state.damaged").exists()


def test_any_flipped_bit_is_noticed(tmp_path: Path) -> None:
    snapshot = Snapshot(tmp_path / "state")
    snapshot.save(b"body")
    whole = snapshot.path.read_bytes()
    for place in range(len(whole)):
        snapshot.path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert snapshot.load() is None


def test_a_kill_between_the_two_renames_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = Snapshot(tmp_path / "state")
    snapshot.save(b"one")
    replace = Path.replace

    def killed(self: Path, target: Path) -> Path:
        if self.name.endswith(".new"):
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        snapshot.save(b"two")
    assert Snapshot(tmp_path / "state").load() == b"one"
