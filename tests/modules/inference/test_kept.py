"""What alerts were about, on disk for a person's verdict: bounded, deleted in time, whole or not at all."""

from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

import pytest

from modules.common.messages import Message
from modules.inference.kept import Kept

Frame = Callable[..., Message]


class Room(TypedDict):
    """The bounds."""

    megabytes: float
    hours: float


ROOM: Room = {"megabytes": 1.0, "hours": 1.0}


@pytest.fixture
def now() -> list[float]:
    return [1_700_000_000.0]


@pytest.fixture
def kept(tmp_path: Path, now: list[float]) -> Kept:
    return Kept(tmp_path / "alerts", clock=lambda: now[0])


def test_what_is_kept_comes_back_byte_for_byte_after_a_restart(kept: Kept, tmp_path: Path, frame: Frame) -> None:
    sample = frame(b"\xff\xd8 a picture \xff\xd9")
    kept.add("a", sample, sent=False, **ROOM)
    assert Kept(tmp_path / "alerts").find("a") == (sample, False)
    assert Kept(tmp_path / "alerts").find("b") == (None, False)


def test_what_was_sent_is_here_no_longer_and_known_as_sent(kept: Kept, tmp_path: Path, frame: Frame) -> None:
    kept.add("a", frame(b"x" * 1000), sent=False, **ROOM)
    kept.sent("a")
    assert Kept(tmp_path / "alerts").find("a") == (None, True)
    assert kept.size == 0
    kept.add("a", frame(b"x" * 1000), sent=False, **ROOM)  # the alert is handled again
    assert kept.find("a") == (None, True)


def test_the_oldest_make_room(kept: Kept, tmp_path: Path, frame: Frame) -> None:
    for number in range(20):
        kept.add(str(number), frame(b"x" * 90_000), sent=False, **ROOM)
    assert sum(each.stat().st_size for each in (tmp_path / "alerts").iterdir()) <= 1_000_000
    assert kept.find("0") == (None, False)
    assert kept.find("19")[0] is not None


def test_what_nobody_judged_is_deleted_when_its_time_is_over(
    kept: Kept, tmp_path: Path, frame: Frame, now: list[float]
) -> None:
    kept.add("a", frame(b"x"), sent=False, **ROOM)
    now[0] += 3599
    kept.bound(**ROOM)
    assert kept.find("a")[0] is not None
    now[0] += 2
    kept.bound(**ROOM)
    assert list((tmp_path / "alerts").iterdir()) == []


def test_no_room_keeps_nothing_and_forgetting_deletes_all(kept: Kept, tmp_path: Path, frame: Frame) -> None:
    kept.add("a", frame(b"x"), sent=False, megabytes=1.0, hours=0.0)
    assert len(kept) == 0
    kept.add("a", frame(b"x"), sent=False, **ROOM)
    assert kept.forget() == 1
    assert list((tmp_path / "alerts").iterdir()) == []


def test_a_torn_file_is_dropped_and_half_a_write_cleared_away(kept: Kept, tmp_path: Path, frame: Frame) -> None:
    kept.add("a", frame(b"x" * 1000), sent=False, **ROOM)
    path = tmp_path / "alerts" / "a.sample"
    path.write_bytes(path.read_bytes()[:100])
    (tmp_path / "alerts" / "new").write_bytes(b"half")
    again = Kept(tmp_path / "alerts")
    assert again.find("a") == (None, False)
    assert list((tmp_path / "alerts").iterdir()) == []
