"""The state folder."""

from pathlib import Path

import pytest

from localhub.state import LONGEST_RUN_PATH, State, StateError, write_atomic


def test_facts_survive_a_restart_and_new_ones_replace_old(tmp_path: Path) -> None:
    first = State.prepare(tmp_path / "s", address="127.0.0.9", metrics_port=9700)
    assert State.load(tmp_path / "s") == first
    second = State.prepare(tmp_path / "s", https_port=None)
    assert (second.address, second.metrics_port, second.https_port) == ("127.0.0.9", 9700, None)


def test_the_run_folder_moves_out_of_a_deep_tree(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * LONGEST_RUN_PATH)
    state = State.prepare(deep)
    assert len(str(state.workload_socket("m" * 128))) < 100
    assert state.run.stat().st_mode & 0o077 == 0
    state.workload_socket("a").parent.rmdir()
    state.run.rmdir()
    assert State.prepare(deep).run.is_dir()


def test_a_module_may_be_called_like_a_process(tmp_path: Path) -> None:
    state = State.prepare(tmp_path)
    assert state.workload_socket("hub") != state.hub_socket


def test_missing_and_damaged_state_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="localhub run"):
        State.load(tmp_path)
    (tmp_path / "localhub.json").write_text("{")
    with pytest.raises(StateError, match="--fresh"):
        State.load(tmp_path)


def test_a_failing_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "facts"
    write_atomic(path, b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert [child.name for child in tmp_path.iterdir()] == ["facts"]
