"""SIGKILL of a process that writes: what it said was done is done, and nothing is twice."""

from __future__ import annotations

import importlib.util
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from modules.cache.record import PRIORITIES
from modules.cache.sealing import Sealer
from modules.cache.store import LEAST_BOUND, Append, Appended, Limits, Store

ROOT = Path(__file__).resolve().parents[2]
_spec = importlib.util.spec_from_file_location("appender", Path(__file__).with_name("appender.py"))
assert _spec is not None
assert _spec.loader is not None
_appender = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_appender)
KEYS, record = _appender.KEYS, _appender.record


@pytest.fixture
def helper(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("appender.py")), str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process
    assert process.stdin is not None
    process.stdin.close()
    process.wait(10)
    assert process.stdout is not None
    process.stdout.close()


class Told:
    """What the child said, over all its lives."""

    def __init__(self) -> None:
        self.newest = 0
        self.stored: set[int] = set()
        self.begun: int | None = None
        self.delivered = dict.fromkeys(PRIORITIES, 0)
        self.delivering: int | None = None

    def hear(self, line: str) -> None:
        what, _, rest = line.strip().partition(" ")
        number = int(rest.removeprefix("id ")) if rest.startswith("id ") else 0
        if what == "a":
            self.begun = number
        elif what == "A":
            self.stored.add(number)
            self.newest, self.begun = number, None
        elif what == "c":
            self.delivering = number
        elif what == "C":
            self.delivered[number % 3] = number
            self.delivering = None


def live_and_die(helper: subprocess.Popen[str], told: Told, dice: random.Random) -> None:
    """One life: started, heard for a while, killed, and heard to the end."""
    assert helper.stdin is not None
    assert helper.stdout is not None
    helper.stdin.write(f"{told.newest + 1}\n")
    helper.stdin.flush()
    out: IO[str] = helper.stdout
    child = 0
    opened = False
    while not (child and opened):
        line = out.readline()
        if line.startswith("pid"):
            child = int(line.split()[1])
        elif line.startswith("open"):
            opened = True
        told.hear(line)
    time.sleep(dice.uniform(0, 0.03))
    os.kill(child, signal.SIGKILL)
    while not (line := out.readline()).startswith("gone"):
        told.hear(line)


def check(folder: Path, told: Told) -> None:
    store = Store.open(folder, Sealer(KEYS), limits=Limits(bound=LEAST_BOUND))
    for priority in PRIORITIES:
        found = [int(entry.message_id.removeprefix("id ")) for entry in store.inspect(priority, most=100_000)]
        assert found == sorted(found), "reordered"
        expected = {n for n in told.stored if n % 3 == priority and n > told.delivered[priority]}
        if told.delivering is not None and told.delivering % 3 == priority and not expected <= set(found):
            expected = {n for n in expected if n > told.delivering}  # its last confirm was on disk already
            told.delivered[priority] = told.delivering
        assert expected <= set(found), "missing"
        assert set(found) - expected <= {told.begun}, "what was delivered is back"
    if told.begun is not None:
        (result,) = store.apply([Append([record(told.begun)])])  # as edgeHub does with what was not acknowledged
        assert isinstance(result, Appended)
        assert result.stored + result.duplicates == 1
        told.stored.add(told.begun)
        told.newest, told.begun = max(told.newest, told.begun), None
    again = random.Random(told.newest).sample(sorted(told.stored), min(3, len(told.stored)))
    results = store.apply([Append([record(n)]) for n in again])
    assert results == [Appended(0, 1)] * len(again), "accepted twice"
    told.delivering = None
    store.abandon()
    assert sum(item.stat().st_size for item in folder.iterdir()) <= LEAST_BOUND, "over the bound"


def test_a_hundred_kills(helper: subprocess.Popen[str], tmp_path: Path) -> None:
    dice, told = random.Random(4), Told()
    for _ in range(100):
        live_and_die(helper, told, dice)
        check(tmp_path, told)
    assert told.newest > 100


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_thousand_kills(helper: subprocess.Popen[str], tmp_path: Path) -> None:
    dice, told = random.Random(5), Told()
    for _ in range(1000):
        live_and_die(helper, told, dice)
        check(tmp_path, told)
