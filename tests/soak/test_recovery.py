"""Five gigabytes on disk: ready at once, and as small as with a thousand records."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash.bulk import fill

ROOT = Path(__file__).resolve().parents[2]
OPENER = ROOT / "tests" / "crash" / "opener.py"
SIZE = 900  # with its columns and its id a record takes about a kilobyte of the file
READY_S, RSS_MB, FLAT_MB = 2.0, 80.0, 8.0


def start(folder: Path) -> dict[str, float]:
    """Start a process on the store, none of whose pages are in memory."""
    descriptor = os.open(folder / "queue.db", os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)
    command = [sys.executable, str(OPENER), str(folder)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, check=True, cwd=ROOT, env=environment)
    found: dict[str, float] = json.loads(done.stdout)
    return found


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_five_million_records(tmp_path: Path, show: Callable[[str], None]) -> None:
    found = {}
    for records in (1_000, 5_000_000):
        folder = tmp_path / str(records)
        folder.mkdir()
        fill(folder, records, SIZE)
        size = (folder / "queue.db").stat().st_size
        found[records] = start(folder)
        show(f"{records:>9,} records, {size / 1e9:.2f} GB: {json.dumps(found[records])}")
        (folder / "queue.db").unlink()
    small, large = found.values()
    assert size > 5e9
    assert large["waiting"] >= 5_000_000
    assert large["peeked"] == small["peeked"] > 0
    assert large["ready_s"] < READY_S
    assert large["rss_mb"] < RSS_MB
    assert large["rss_mb"] < small["rss_mb"] + FLAT_MB
