"""SIGKILL of a process that writes: what it said was done is done, and nothing is twice."""

from __future__ import annotations

from pathlib import Path

from tests.crash.kills import kill

LIVES = 1000


def test_a_thousand_kills(quick_folder: Path) -> None:
    tally = kill(quick_folder, 4, LIVES)
    tally.check()
    assert tally.total().crashes == LIVES
