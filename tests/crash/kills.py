"""A writing process that imports only the store, killed again and again: what it said was done must be done, once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modules.cache.record import PRIORITIES
from modules.cache.sealing import Sealer
from modules.cache.store import LEAST_BOUND, Append, Appended, Budget, Store
from tests.crash.appender import KEYS, LIMITS, record
from tests.crash.tally import Tally

ROOT = Path(__file__).resolve().parents[2]
MOST_IDS = Budget.of(LEAST_BOUND).most_ids(len("id 00000001"))  # that are remembered: a quick machine writes more
LONGEST_LIFE_S = 0.012
BORN_DEAD = 0.1  # this share is killed while it still opens the store


@contextmanager
def appender(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The process from which the writers are forked, so that a life costs no start of a Python."""
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("appender.py")), str(folder)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


def kill(folder: Path, seed: int, lives: int) -> Tally:
    """Let `lives` writers live on the store in `folder`, one after another, and kill each."""
    dice, told, tally = random.Random(seed), Told(), Tally()
    with appender(folder) as helper:
        for number in range(lives):
            operation = live_and_die(helper, told, dice)
            tally.by_operation[operation].crashes += 1
            check(folder, told, tally, operation, f"life {number} of seed {seed}")
    if lives >= 100:
        assert told.newest > lives, "the writers did not write"
    return tally


class Told:
    """What the child said, over all its lives."""

    def __init__(self) -> None:
        self.newest = 0  # all numbers up to here were acknowledged
        self.begun: int | None = None
        self.delivered = dict.fromkeys(PRIORITIES, 0)
        self.delivering: int | None = None
        self.opened = False

    def copy(self) -> Told:
        """The same, to go on with by itself."""
        other = Told()
        other.newest, other.begun, other.opened = self.newest, self.begun, self.opened
        other.delivered, other.delivering = dict(self.delivered), self.delivering
        return other

    def hear(self, line: str) -> None:
        what, _, rest = line.strip().partition(" ")
        number = int(rest.removeprefix("id ")) if rest.startswith("id ") else 0
        if what == "open":
            self.opened = True
        elif what == "a":
            self.begun = number
        elif what == "A":
            self.newest, self.begun = number, None
        elif what == "c":
            self.delivering = number
        elif what == "C":
            self.delivered[number % 3] = number
            self.delivering = None

    def operation(self) -> str:
        """What it was doing."""
        if not self.opened:
            return "open"
        return "append" if self.begun is not None else "confirm" if self.delivering is not None else "upkeep"


def live_and_die(helper: subprocess.Popen[str], told: Told, dice: random.Random) -> str:
    """One life: started, heard for a while, killed, and heard to the end; what the kill struck."""
    born_dead = dice.random() < BORN_DEAD
    child = start(helper, told, opened=not born_dead)
    time.sleep(dice.uniform(0, LONGEST_LIFE_S / 4 if born_dead else LONGEST_LIFE_S))
    os.kill(child, signal.SIGKILL)
    hear_out(helper, told)
    return told.operation()


def start(helper: subprocess.Popen[str], told: Told, *, opened: bool = True) -> int:
    """Start a writer and wait until it is there, or has opened the store; its process id."""
    assert helper.stdin is not None
    assert helper.stdout is not None
    helper.stdin.write(f"{told.newest}\n")
    helper.stdin.flush()
    child, told.opened = 0, False
    while not (child and (told.opened or not opened)):
        line = helper.stdout.readline()
        if line.startswith("pid"):
            child = int(line.split()[1])
        told.hear(line)
    return child


def hear_out(helper: subprocess.Popen[str], told: Told) -> None:
    """All that a killed writer had said."""
    assert helper.stdout is not None
    while not (line := helper.stdout.readline()).startswith("gone"):
        assert line, "the writers' parent has ended"
        told.hear(line)


def check(folder: Path, told: Told, tally: Tally, operation: str, where: str) -> None:
    """Compare the store with what was said, and send again what was not acknowledged, as edgeHub does."""
    store = Store.open(folder, Sealer(KEYS), limits=LIMITS)
    for priority in PRIORITIES:
        found = [int(entry.message_id.removeprefix("id ")) for entry in store.inspect(priority, most=100_000)]
        tally.blame(operation, "reordered", int(found != sorted(found)), where)
        expected = {n for n in range(told.delivered[priority] + 1, told.newest + 1) if n % 3 == priority}
        if told.delivering is not None and told.delivering % 3 == priority and not expected <= set(found):
            expected = {n for n in expected if n > told.delivering}  # its last confirm was on disk already
            told.delivered[priority] = told.delivering
        tally.blame(operation, "missing", len(expected - set(found)), where)
        tally.blame(operation, "repeats", len(set(found) - expected - {told.begun}), where)
    told.delivering = None
    if told.begun is not None:
        (result,) = store.apply([Append([record(told.begun)])])
        assert isinstance(result, Appended)
        assert result.stored + result.duplicates == 1
        told.newest, told.begun = max(told.newest, told.begun), None
    known = range(max(1, told.newest + 1 - MOST_IDS), told.newest + 1)
    again = random.Random(told.newest).sample(known, min(3, len(known)))
    for result in store.apply([Append([record(n)]) for n in again]):
        tally.blame(operation, "repeats", int(result != Appended(0, 1)), where)
    store.abandon()
    size = sum(item.stat().st_size for item in folder.iterdir())
    tally.blame(operation, "over", max(0, size - LEAST_BOUND), where)
