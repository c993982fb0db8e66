"""A seeded life of a store on a disk of ours, remembered step by step: what it had promised at which event."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

from modules.cache.record import PRIORITIES, Record
from modules.cache.sealing import Sealer
from modules.cache.store import (
    LEAST_BOUND,
    Append,
    Appended,
    Batch,
    Clock,
    Confirm,
    Erase,
    Erasure,
    Hand,
    Job,
    KindLimits,
    Limits,
    Range,
    Rewind,
    Store,
)
from modules.cache.store.erase import DONE
from tests.crash.disk import Disk

SMALL, LARGE = (1, 3000), (60_000, 180_000)
RETENTION_MS = 20_000
SOURCES = 6


@dataclass(frozen=True, slots=True)
class Contents:
    """All that a store promises to keep, as plain values."""

    records: tuple[tuple[int, str, int, int, int, str], ...]  # seq, id, priority, attempts, size, state
    depths: tuple[tuple[int, ...], ...] = ()
    dropped: frozenset[object] = frozenset()
    erasures: tuple[object, ...] = ()
    flights: tuple[object, ...] = ()  # what is in flight, and which of it is one message

    @classmethod
    def of(cls, store: Store) -> Contents:
        """What it keeps now."""
        stats = store.stats()
        return cls(
            tuple(
                (entry.seq, entry.message_id, entry.priority, entry.attempts, entry.size, entry.state)
                for priority in PRIORITIES
                for entry in store.inspect(priority, most=100_000)
            ),
            tuple(
                (depth.depth, depth.bytes, depth.accepted, depth.confirmed, depth.kept) for depth in stats.priorities
            ),
            frozenset(stats.dropped),
            tuple(store.erasures()),
            tuple(tuple(store.flight(priority).records) for priority in PRIORITIES),
        )

    def order(self) -> dict[int, list[str]]:
        """Ids by priority, in order."""
        return {priority: [row[1] for row in self.records if row[2] == priority] for priority in PRIORITIES}


@dataclass(frozen=True, slots=True)
class Step:
    """`operation` was whole at event `done`, after which `kept` holds and `accepted` of the ids are in."""

    operation: str
    done: int
    kept: Contents
    accepted: int


@dataclass(slots=True)
class Life:
    """`live` does things to the store that `dice` choose; each step is one transaction, or none.

    In an `outage` little is delivered, so that large records soon fill the store.
    """

    disk: Disk
    folder: Path
    seed: int
    sizes: tuple[int, int]
    outage: bool = False
    now: int = 0
    ids: list[str] = field(default_factory=list)
    size_of: dict[str, int] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)  # found no room when they came, so their ids were not taken in
    bound: dict[int, int] = field(default_factory=lambda: dict.fromkeys(PRIORITIES, 0))  # the last seq in a batch
    keys: dict[int, bytes] = field(default_factory=lambda: {1: b"k" * 32})
    steps: list[Step] = field(default_factory=lambda: [Step("open", 0, Contents(()), 0)])
    dice: random.Random = field(init=False)
    limits: Limits = field(init=False)
    store: Store = field(init=False)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.limits = Limits(
            bound=LEAST_BOUND,
            retention_ms=(0, RETENTION_MS, RETENTION_MS // 2),
            kinds={"score": KindLimits(ttl_ms=4 * RETENTION_MS, retention_ms=0)},
        )
        self.store = self.open(self.disk)
        self.note("open")

    def open(self, disk: Disk) -> Store:
        """The store as another start of the module finds it on a disk."""
        clock = Clock(wall=lambda: 1_700_000_000_000 + self.now, monotonic=lambda: self.now)
        return Store.open(self.folder, Sealer(self.keys), limits=self.limits, clock=clock, vfs=disk.name)

    def note(self, operation: str) -> None:
        """A step was made."""
        self.steps.append(Step(operation, len(self.disk.events), Contents.of(self.store), len(self.ids)))

    def live(self, steps: int) -> None:
        """So many moves, some of several steps."""
        moves = {
            self.append: 8,
            self.commit: 2,
            self.repeat: 1,
            self.hand: 1 if self.outage else 4,
            self.confirm: 1 if self.outage else 4,
            self.batch: 1,
            self.rewind: 1,
            self.erase: 0.5,
            self.delete: 1,
            self.vacuum: 0 if self.outage else 2,
            self.reopen: 1,
            self.rekey: 1,
        }
        for _ in range(steps):
            self.now += self.dice.randrange(3000)
            (move,) = self.dice.choices(list(moves), list(moves.values()))
            move()

    def record(self) -> Record:
        """One more."""
        message_id = f"message {len(self.ids)}"
        self.ids.append(message_id)
        self.size_of[message_id] = size = self.dice.randint(*self.sizes)
        return Record(
            message_id=message_id,
            priority=self.dice.choices(PRIORITIES, (1, 3, 6))[0],
            kind=self.dice.choice(("window", "window", "score")),
            source=f"press{self.dice.randrange(SOURCES)}/bearing1",
            source_seq=len(self.ids),
            payload=payload_of(message_id, size),
        )

    def append(self) -> None:
        records = [self.record() for _ in range(1 if self.sizes is LARGE else self.dice.choice((1, 1, 1, 4)))]
        before = self.evicted()
        (result,) = self.store.apply([Append(records)])
        assert isinstance(result, Appended)
        if result.dropped:
            self.refused.update(record.message_id for record in records)
        self.note("evict" if self.evicted() > before else "append")

    def evicted(self) -> int:
        return sum(drop.n for drop in self.store.stats().dropped if drop.reason == "evicted")

    def commit(self) -> None:
        """Several jobs in one commit."""
        jobs: list[Job] = []
        for priority in self.dice.sample(PRIORITIES, 2):
            flight = self.store.flight(priority)
            if flight.records:
                jobs.append(Confirm(priority, flight.records[0][0]))
            elif found := self.store.peek(priority, flight.handed, most=2, most_bytes=1 << 20):
                jobs.append(Hand(priority, found[-1].seq, self.now))
        if self.sizes is SMALL:
            jobs += [Append([self.record()]), Append([self.record()])]
        results = self.store.apply(jobs)
        assert all(result in {None, Appended(1)} for result in results)
        self.note("commit")

    def repeat(self) -> None:
        known = [message_id for message_id in self.ids if message_id not in self.refused]
        if known:
            assert self.store.apply([Append([again(self.dice.choice(known))])]) == [Appended(0, 1)]
            self.note("append")

    def hand(self) -> None:
        priority = self.dice.choice(PRIORITIES)
        flight = self.store.flight(priority)
        found = self.store.peek(priority, flight.handed, most=self.dice.randrange(1, 6), most_bytes=1 << 20)
        if found:
            self.store.apply([Hand(priority, found[-1].seq, self.now)])
            self.note("hand")

    def confirm(self) -> None:
        priority = self.dice.choice(PRIORITIES)
        flight = self.store.flight(priority)
        if flight.records:
            self.store.apply([Confirm(priority, self.dice.choice(flight.records)[0])])
            self.note("confirm")

    def rewind(self) -> None:
        self.store.apply([Rewind(self.dice.choice(PRIORITIES))])
        self.note("rewind")

    def delete(self) -> None:
        """What was kept long enough goes."""
        self.now += RETENTION_MS
        self.idle("delete")

    def vacuum(self) -> None:
        """Deliver what waits of some priorities, so that the file system gets its room back."""
        for priority in self.dice.sample(PRIORITIES, 2):
            found = self.store.peek(priority, self.store.flight(priority).handed, most=1000, most_bytes=1 << 26)
            if found:
                self.store.apply([Hand(priority, found[-1].seq, self.now)])
                self.note("hand")
                self.store.apply([Confirm(priority, found[-1].seq)])
                self.note("confirm")
        self.now += RETENTION_MS
        self.idle("vacuum")

    def idle(self, operation: str) -> None:
        """Upkeep until there is no more to do; while there is something to purge, it is deleting."""
        more = True
        while more:
            kept = self.steps[-1].kept.depths
            more = self.store.upkeep()
            self.note("delete" if Contents.of(self.store).depths != kept else operation)

    def reopen(self) -> None:
        self.store.close()
        self.store = self.open(self.disk)
        self.note("open")

    def rekey(self) -> None:
        """From now on another key seals."""
        number = max(self.keys) + 1
        self.keys[number] = bytes([number]) * 32
        self.store.rekey(self.keys, f"keys up to {number}")
        self.note("rekey")

    def batch(self) -> None:
        """The next records are to be one message, however often it is sent."""
        priority = self.dice.choice((1, 2))
        after = max(self.bound[priority], self.store.flight(priority).handed)
        found = self.store.peek(priority, after, most=self.dice.randrange(2, 6), most_bytes=1 << 20)
        if len(found) > 1:
            assert self.store.apply([Batch(priority, found[0].seq, found[-1].seq)]) == [None]
            self.bound[priority] = found[-1].seq
            self.note("batch")

    def erase(self) -> None:
        """All of one source goes, handed or not."""
        wanted = Range(f"press{self.dice.randrange(SOURCES)}/*")
        (order,) = self.store.apply([Erase(range=wanted, who="the operator", why="asked to")])
        assert isinstance(order, Erasure)
        self.note("erase")
        while self.store.erasures()[0].done != DONE:
            self.store.upkeep()
            self.note("erase")


def payload_of(message_id: str, size: int) -> bytes:
    """What that message carries."""
    return random.Random(message_id).randbytes(size)


def again(message_id: str) -> Record:
    """The message once more, as a sender repeats it."""
    return Record(message_id=message_id, priority=2, kind="k", source="s", source_seq=0, payload=b"")
