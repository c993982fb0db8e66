"""Which variables show a process a wrong time, and that it sees it where the machine has libfaketime."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from localhub.agent import wrongclock


def test_a_right_clock_needs_nothing() -> None:
    assert wrongclock.facts(0, {wrongclock.LIBRARY: "/nowhere"}) == {}


def test_the_library_is_named_or_found(tmp_path: Path) -> None:
    lib = tmp_path / "lib" / "x86_64-linux-gnu" / "faketime" / "libfaketime.so.1"
    with pytest.raises(wrongclock.NoWrongClockError, match="apt install libfaketime"):
        wrongclock.library({}, tmp_path)
    lib.parent.mkdir(parents=True)
    lib.touch()
    assert wrongclock.library({}, tmp_path) == lib
    assert wrongclock.library({wrongclock.LIBRARY: str(lib)}) == lib
    with pytest.raises(wrongclock.NoWrongClockError, match="not at /nowhere"):
        wrongclock.library({wrongclock.LIBRARY: "/nowhere"}, tmp_path)
    assert wrongclock.facts(-3600, {wrongclock.LIBRARY: str(lib), "LD_PRELOAD": "other.so"}) == {
        "LD_PRELOAD": f"{lib}:other.so",
        "FAKETIME": "-3600.000",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def test_a_process_sees_the_wrong_time_and_the_right_pauses() -> None:
    try:
        facts = wrongclock.facts(-86_400, os.environ)
    except wrongclock.NoWrongClockError as error:
        pytest.skip(str(error))
    code = "import time; print(time.time(), time.monotonic())"
    said = subprocess.run([sys.executable, "-c", code], env=facts, check=True, capture_output=True, text=True).stdout
    wall, monotonic = map(float, said.split())
    assert abs(wall - (time.time() - 86_400)) < 60
    assert abs(monotonic - time.monotonic()) < 60
