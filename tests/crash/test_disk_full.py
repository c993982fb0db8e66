"""A small file system that is full: refused and said, delivering goes on, and once there is room accepting too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from modules.cache.record import Record
from modules.cache.sealing import Sealer
from modules.cache.store import Append, Appended, Clock, Confirm, Hand, Limits, Store, StoreFullError
from tests.crash.filesystems import MIB, NotAllowedError, ext4, tmpfs


@pytest.fixture(params=[tmpfs, ext4])
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    try:
        with request.param(tmp_path / "small", 10 * MIB) as place:
            yield place
    except NotAllowedError as error:
        pytest.skip(f"needs the right to mount: {error}")


def record(number: int) -> Record:
    return Record(
        message_id=f"id {number}", priority=0, kind="alert", source="s", source_seq=number, payload=b"x" * 100_000
    )


def test_a_full_disk(small_disk: Path) -> None:
    now = 0
    folder = small_disk / "store"
    folder.mkdir()
    clock = Clock(monotonic=lambda: now)
    store = Store.open(folder, Sealer({1: b"k" * 32}), limits=Limits(bound=64 * MIB), clock=clock)
    others = small_disk / "somebody else's"
    others.write_bytes(bytes(3 * MIB))
    number = 0
    while True:
        number += 1
        (result,) = store.apply([Append([record(number)])])
        if result != Appended(1):
            break
    assert isinstance(result, StoreFullError)
    assert result.disk
    assert store.stats().disk_full
    assert not (folder / "ballast").exists(), "the ballast is given up, so that what follows has room"
    kept = store.inspect(0, most=1000)
    assert len(kept) == number - 1, "what was acknowledged is there, and nothing else"
    (refused,) = store.apply([Append([record(number)])])
    assert isinstance(refused, StoreFullError)
    middle = kept[len(kept) // 2].seq
    assert store.apply([Hand(0, middle, 0), Confirm(0, middle)]) == [None, None], "delivering goes on"
    others.unlink()
    now += 60_000
    while store.upkeep():
        pass
    assert not store.stats().disk_full
    assert (folder / "ballast").exists(), "and taken again"
    assert store.apply([Append([record(number)])]) == [Appended(1)]
    assert store.check_file() == []
    store.close()
