from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.crash.disk import Disk

MEMORY = Path("/dev/shm")


@pytest.fixture
def new_disk() -> Iterator[Callable[..., Disk]]:
    """Makes disks, with given files or none, and lets go of them after the test."""
    made: list[Disk] = []

    def make(files: dict[str, bytearray] | None = None) -> Disk:
        made.append(Disk(files))
        return made[-1]

    yield make
    for disk in made:
        disk.unregister()


@pytest.fixture
def quick_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: a kill takes nothing from a file, synced or not, so no need for a disk."""
    if not os.access(MEMORY, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="millwatch-") as place:
        yield Path(place)


@pytest.fixture
def folder() -> Path:
    """Where a store on a Disk thinks it is."""
    return Path("/disk")
