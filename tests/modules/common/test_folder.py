from pathlib import Path

from modules.common.folder import sizes


def test_files_are_told_by_name_and_what_goes_meanwhile_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"12345")
    (tmp_path / ".a").write_bytes(b"12")
    (tmp_path / "folder").mkdir()
    (tmp_path / "gone").symlink_to("nowhere")  # as a file that goes between the listing and the look at it
    assert list(sizes(tmp_path).items()) == [(".a", 2), ("b", 5)]
    assert sizes(tmp_path / "nowhere") == {}
