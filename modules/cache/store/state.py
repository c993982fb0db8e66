"""What the parts of one open store share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import apsw

from modules.cache.record import PRIORITIES
from modules.cache.sealing import Sealer
from modules.cache.store.budget import FRAME, MIB, PAGE, WAL_HEADER, Budget
from modules.cache.store.clock import Clock
from modules.cache.store.forget import Memory
from modules.cache.store.mark import Marks

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class KindLimits:
    """For one kind of message, in ms: how long it may wait, and be kept after delivery; None: no limit of its own."""

    ttl_ms: int | None = None
    retention_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bytes on disk; how long and how many ids are remembered; how long what was delivered is kept, by priority.

    `kinds` has limits by kind of message, which go before those by priority.
    """

    bound: int = 1024 * MIB
    horizon_ms: int = 24 * HOUR_MS
    horizon_ids: int = 1_000_000
    retention_ms: tuple[int, int, int] = (0, 0, 0)
    kinds: Mapping[str, KindLimits] = field(default_factory=dict)

    def retention(self, priority: int, kind: str) -> int:
        """How long (ms) a delivered record is kept."""
        own = self.kinds.get(kind)
        return self.retention_ms[priority] if own is None or own.retention_ms is None else own.retention_ms


@dataclass(slots=True)
class Wear:
    """Bytes written to flash, in blocks of 4 KB as the file system writes them, and how many transactions did."""

    wal: int = 0  # but for what was written since it was last begun anew
    database: int = 0
    commits: int = 0
    checkpoints: int = 0


@dataclass(slots=True)
class State:
    """Connection, marks and clocks of one open store, and the figures that no file holds."""

    connection: apsw.Connection
    sealer: Sealer
    limits: Limits
    clock: Clock
    marks: Marks
    budget: Budget
    measure: Callable[[], int]
    pages_in_wal: Callable[[int], int]
    """How many different pages are among so many frames of the WAL: a checkpoint writes each once."""
    offset: int
    """Of the store's own clock against the monotonic one, ms."""
    seq: int
    memory: Memory
    now: int = 0  # the store's clock when the open transaction began
    claimed: dict[int, int] = field(default_factory=lambda: dict.fromkeys(PRIORITIES, 0))
    """Up to which seq records are about to be sent."""
    free: int = 0  # pages known to be free; a lower bound, read again when it is used up
    spare: int = 0  # pages that estimates were once short of
    frames: int = 0  # pages in the WAL
    begun: int = 0  # how many commits there were before the WAL was begun anew
    quarantined: int = 0
    duplicates: int = 0
    appended_bytes: int = 0
    batched: bool = False  # whether the table batch may have rows
    expired: dict[tuple[int, str | None, bool], int] = field(default_factory=dict)
    """How far each rule of expire.py has looked."""
    wear: Wear = field(default_factory=Wear)

    def tick(self) -> int:
        """The store's own clock in ms: it runs only while a store is open, and never back."""
        return self.offset + self.clock.monotonic()

    def untouchable(self, priority: int) -> int:
        """Records up to here are in edgeHub or about to be sent there."""
        return max(self.marks[priority].handed, self.claimed[priority])

    def let_go(self, priority: int, seq: int) -> None:
        """Records behind `seq` are not about to be sent after all: they may expire, so they are looked at again."""
        self.expired = {name: cursor for name, cursor in self.expired.items() if name[0] != priority or name[2]}
        self.claimed[priority] = seq

    def read_free(self) -> int:
        """Pages that may still be filled: those on the free list, and those by which the file may grow."""
        used = int(self.connection.pragma("page_count"))
        listed = int(self.connection.pragma("freelist_count"))
        return self.budget.pages - used + listed

    def drop(self, priority: int, reason: str, n: int, size: int) -> None:
        """Count a drop, in the transaction that drops."""
        self.connection.execute(
            "INSERT INTO dropped VALUES(?,?,?,?) ON CONFLICT DO UPDATE SET n=n+excluded.n, bytes=bytes+excluded.bytes",
            (priority, reason, n, size),
        )

    def checkpoint(self, *, truncate: bool = False) -> None:
        """Move the WAL into the database; the next commit then writes it from its beginning."""
        pages = self.pages_in_wal(self.frames)
        mode = apsw.SQLITE_CHECKPOINT_TRUNCATE if truncate else apsw.SQLITE_CHECKPOINT_PASSIVE
        logged, moved = self.connection.wal_checkpoint("main", mode)
        self.wear.checkpoints += 1
        self.wear.database += min(max(moved, 0), pages) * PAGE
        if logged == moved or truncate:
            self.wear.wal += self.written_to_wal()
            self.frames, self.begun = 0, self.wear.commits

    def note_commit(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        """SQLite's WAL hook: how many pages the WAL holds after this commit. Short, for each commit pays for it."""
        self.frames = pages
        self.wear.commits += 1
        return apsw.SQLITE_OK

    def written_to_wal(self) -> int:
        """Bytes since it was begun anew: each commit but the first writes the block again in which the last ended."""
        blocks = -(-(WAL_HEADER + self.frames * FRAME) // PAGE)
        return (blocks + max(0, self.wear.commits - self.begun - 1)) * PAGE if self.frames else 0
