"""The power goes under the hub's store: what was acknowledged is there, in order, and nothing comes back.

A life is a seeded row of commits on a recorded folder; each is one transaction, so whatever is left after a power cut
must hold all of them up to some commit that was under way, or the one before, and no part of another.
"""

from __future__ import annotations

import copy
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from localhub.hub import store
from localhub.hub.message import NEVER, QueuedMessage, pack
from localhub.hub.store import Batch, Store
from tests.crash.recorder import Recorder, crashed_folders, recording
from tests.crash.tally import Tally

QUEUES = {1: ("gw1/beta/in", 0), 2: ("gw1/gamma/in", 5), 3: ("iothub", 0)}
SIZES = (0, 40, 1_000, 9_000)


@contextmanager
def tidy_often() -> Iterator[None]:
    """The log is folded in, and disk space given back, every few commits."""
    with patch.multiple(store, CHECKPOINT_PAGES=24, VACUUM_FROM=8, VACUUM_PAGES=4, WAL_LIMIT=1 << 14):
        yield


def body_of(number: int, size: int) -> bytes:
    """What message `number` carries."""
    return random.Random(number).randbytes(size)


@dataclass(slots=True)
class Contents:
    """What the file is to hold: by queue the ids in order with their expiry and size, sessions, facts."""

    queues: dict[int, dict[int, tuple[float, int]]] = field(default_factory=dict)
    sessions: dict[str, dict[str, int]] = field(default_factory=dict)
    facts: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """`operation` was durable at event `done`, and the file held `contents` from then on."""

    operation: str
    done: int
    contents: Contents


class Life:
    """Seeded commits on a store, and what they make of its contents."""

    def __init__(self, path: Path, recorder: Recorder, dice: random.Random) -> None:
        self.steps: list[Step] = []
        self.sizes: dict[int, int] = {}
        self._path = path
        self._recorder = recorder
        self._dice = dice
        self._now = 1000.0
        self._contents = Contents()
        self._next = 1
        self._store = Store(path)
        self._note("open")

    def live(self, steps: int) -> None:
        """Go on for so many commits."""
        moves = {self.append: 8, self.deliver: 6, self.expire: 1, self.subscribe: 1, self.twin: 1, self.tidy: 3}
        moves[self.restart] = 1
        for _ in range(steps):
            (move,) = self._dice.choices(list(moves), list(moves.values()))
            move()
        self._store.close()

    def append(self) -> None:
        """Messages come in, some for several queues, and others leave in the same commit."""
        batch = Batch()
        for _ in range(self._dice.choice((1, 1, 3, 20))):
            number, size = self._next, self._dice.choice(SIZES)
            self._next += 1
            self.sizes[number] = size
            message = QueuedMessage(number, body_of(number, size), {}, {"connectionDeviceId": "gw1"}, self._now, "gw1")
            batch.messages.append((number, message.body, pack(message)))
            expiry = self._dice.choice((NEVER, self._now + 5, self._now + 50))
            for queue in self._dice.sample(list(QUEUES), self._dice.choice((1, 1, 2))):
                if queue not in self._contents.queues:
                    self._contents.queues[queue] = {}
                    batch.queues.append((queue, *QUEUES[queue]))
                self._contents.queues[queue][number] = (expiry, size)
                batch.entries.append((queue, number, expiry, size))
        if self._dice.random() < 0.3:
            self._deliver_into(batch)
        self._apply("append", batch)

    def deliver(self) -> None:
        """Receivers have acknowledged the oldest messages of a queue."""
        batch = Batch()
        self._deliver_into(batch)
        self._apply("deliver", batch)

    def expire(self) -> None:
        """Time passes."""
        self._now += self._dice.choice((1, 20))
        batch = Batch(expire=(self._now, ()))
        for entries in self._contents.queues.values():
            for number in [number for number, (expiry, _) in entries.items() if expiry <= self._now]:
                del entries[number]
        self._apply("expire", batch)

    def subscribe(self) -> None:
        """A client's session is saved, or forgotten."""
        client, filters = self._dice.choice(("gw1/a", "gw1/b")), {f"filter {self._dice.randrange(9)}/#": 1}
        batch = Batch()
        if self._dice.random() < 0.2:
            batch.sessions[client] = None
            self._contents.sessions.pop(client, None)
        else:
            batch.sessions[client] = self._contents.sessions[client] = filters
        self._apply("session", batch)

    def twin(self) -> None:
        """A twin changes."""
        name, value = self._dice.choice(("twin a", "twin b")), self._dice.randbytes(self._dice.choice((10, 30_000)))
        self._contents.facts[name] = value
        self._apply("twin", Batch(facts={name: value}))

    def tidy(self) -> None:
        """The log is folded into the file and space given back."""
        while self._store.untidy:
            self._store.tidy()
        self._note("tidy")

    def restart(self) -> None:
        """The hub is stopped and started."""
        self._store.close()
        self._store = Store(self._path)
        self._store.recover()
        self._note("open")

    def _deliver_into(self, batch: Batch) -> None:
        busy = [queue for queue, entries in self._contents.queues.items() if entries]
        if not busy:
            return
        queue = self._dice.choice(busy)
        entries = self._contents.queues[queue]
        for number in list(entries)[: self._dice.choice((1, 5, 60))]:
            if batch.messages and number >= batch.messages[0][0]:
                break  # only what is on disk is delivered
            del entries[number]
            batch.removed.append((queue, number))
            if not any(number in other for other in self._contents.queues.values()):
                batch.dead.append((number,))

    def _apply(self, operation: str, batch: Batch) -> None:
        self._store.apply(batch)
        self._note(operation)

    def _note(self, operation: str) -> None:
        self.steps.append(Step(operation, len(self._recorder.events), copy.deepcopy(self._contents)))


def crash_hub(folder: Path, seed: int, commits: int, points: int) -> Tally:
    """Live one life in `folder` and crash it at `points` places, as many in each operation as in any other."""
    tally, dice = Tally(), random.Random(seed)
    root = folder / "life"
    root.mkdir()
    with tidy_often(), recording(root) as recorder:
        life = Life(root / "hub.db", recorder, random.Random(seed))
        life.live(commits)
    for place, left in crashed_folders(recorder, places(life, points, dice), dice, folder / "left"):
        check(left / "hub.db", life, place, tally)
    shutil.rmtree(root)
    return tally


def places(life: Life, points: int, dice: random.Random) -> list[int]:
    """Events after which to crash: `points` of them, the operations taking turns."""
    by_operation: dict[str, list[int]] = {}
    for before, step in zip(life.steps, life.steps[1:], strict=False):
        by_operation.setdefault(step.operation, []).extend(range(before.done + 1, step.done + 1))
    struck = [found for found in by_operation.values() if found]
    return sorted(dice.choice(struck[index % len(struck)]) for index in range(points))


def check(path: Path, life: Life, place: int, tally: Tally) -> None:
    """Open what is left: it holds all that was durable, and of what was under way all or nothing."""
    index = next(index for index, step in enumerate(life.steps) if step.done >= place)
    before, after = life.steps[index - 1], life.steps[index]
    operation, where = after.operation, f"event {place}"
    tally.by_operation[operation].crashes += 1
    opened = Store(path)
    try:
        recovered = opened.recover()
        found = Contents(sessions=recovered.sessions)
        for queue in recovered.queues:
            entries = opened.fetch(queue.no, 0, 0.0, 10**6, 1 << 40)
            found.queues[queue.no] = {entry.message.id: (entry.expiry, entry.size) for entry in entries}
            ids = list(found.queues[queue.no])
            tally.blame(operation, "reordered", int(ids != sorted(ids)), where)
            broken = sum(entry.message.body != body_of(entry.message.id, entry.size) for entry in entries)
            tally.blame(operation, "missing", broken, f"bodies, {where}")
            told = (queue.endpoint, queue.priority), queue.depth, queue.bytes
            held = QUEUES[queue.no], len(entries), sum(entry.size for entry in entries)
            tally.blame(operation, "different", int(told != held), where)
        for name in ("twin a", "twin b"):
            if (value := opened.fact(name)) is not None:
                found.facts[name] = value
        highest = max((max(queue, default=0) for queue in found.queues.values()), default=0)
        tally.blame(operation, "repeats", int(recovered.next_id <= highest), f"ids used again, {where}")
    finally:
        opened.close()
    for number, must in before.contents.queues.items():
        kept = after.contents.queues[number]
        here = found.queues.get(number, {})
        lost = [each for each in must if each in kept and each not in here]
        back = [each for each in here if each not in must and each not in kept]
        tally.blame(operation, "missing", len(lost), where)
        tally.blame(operation, "repeats", len(back), where)
    tally.blame(operation, "different", int(found not in (before.contents, after.contents)), where)
