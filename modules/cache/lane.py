"""One priority's way out: records read ahead in their order, bound into messages where wanted, and those in flight."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar

from modules.cache.batching import MOST_MEMBERS, Batching, divide
from modules.cache.flight import Flight
from modules.cache.parcel import Parcel, alone, opened, together
from modules.cache.record import Stored
from modules.cache.store import Batch, Job, Rewind, Store
from modules.common.messages import encode_member

T = TypeVar("T")

_PEEK = 32
_PEEK_BYTES = 1024 * 1024


class Asks(Protocol):
    """The store, as one generation of it is asked."""

    async def do(self, job: Job) -> object:
        """Have a job committed. Raises StoreError."""

    async def ask(self, question: Callable[[Store], T]) -> T:
        """An answer between two commits. Raises StoreError."""


class Lane:
    """`next` is the message whose turn it is, `take` that it is being sent, `handed` that edgeHub has it."""

    def __init__(self, priority: int, store: Asks) -> None:
        self.priority = priority
        self.flight = Flight(1, 1, 1.0)
        self.batching: Batching | None = None
        self.wait = math.inf
        """Seconds until a batch goes that is not full; set by `next`."""
        self.epoch = 0
        """Counts the rewinds."""
        self._store = store
        self._ahead: deque[Stored] = deque()
        self._accepted: dict[int, float] = {}  # monotonic time at which the store took it, by seq
        self._sizes: dict[int, int] = {}  # as members of a batch, by seq
        self._bound: deque[Batch] = deque()
        self._next: Parcel | None = None
        self._cursor = 0
        self._sent = 0  # the last seq that was handed, or is being sent
        self._more = True
        self._rewinding = False

    @property
    def waiting(self) -> bool:
        """Whether anything is read ahead."""
        return bool(self._ahead)

    @property
    def holds(self) -> bool:
        """Whether something is read ahead, so that the store spares it, and not because a batch waits for company."""
        return bool(self._ahead) and self.wait == math.inf

    @property
    def full(self) -> bool:
        """Whether there is no room in the window for what comes next."""
        return not self.flight.room(self._next.size if self._next else 1)

    def notify(self) -> None:
        """A record was stored."""
        self._more = True

    async def restore(self, instance: str, now: float, wall_ms: float) -> bool:
        """Begin with what the store says was in flight, for as long as the wall clock says; False where nothing was."""
        known = await self._store.ask(partial(Store.flight, priority=self.priority))
        self.flight.clear(instance)
        self.epoch += 1
        age = abs(wall_ms - known.at) / 1000 if known.records else 0.0
        for seq, size in known.records:
            self.flight.hand(seq, size, now - age)
        await self._begin_behind(known.handed)
        return bool(known.records)

    async def next(self, now: float, *, hurry: bool = False) -> Parcel | None:
        """The message to send next; None when there is none, or no room for it in the window.

        `hurry`: batches wait for no company. Raises StoreError.
        """
        if self.full:
            return None
        if self._next is None:
            epoch = self.epoch
            parcel = None if self._rewinding else await self._form(now, hurry=hurry)
            if epoch == self.epoch:
                self._next = parcel
        return None if self.full else self._next

    def take(self) -> Parcel:
        """The message of `next` is being sent."""
        assert self._next is not None
        parcel, self._next = self._next, None
        for _ in range(parcel.n):
            seq = self._ahead.popleft().seq
            self._sizes.pop(seq, None)
            self._accepted.pop(seq, None)
        self._sent = parcel.seq
        return parcel

    def handed(self, parcel: Parcel, epoch: int, now: float) -> bool:
        """EdgeHub has it; False where all is sent again anyway since `epoch`."""
        if epoch != self.epoch:
            return False
        self.flight.hand(parcel.seq, parcel.size, now)
        return True

    async def release(self) -> None:
        """Nothing can be sent for a while: let what was read ahead be evicted or expire, and read it again then."""
        if self._ahead and not self._rewinding:
            sent = self._sent
            await self._begin_behind(sent)
            await self._store.ask(partial(Store.release, priority=self.priority, until=sent))

    async def rewind(self, instance: str) -> None:
        """What is in flight may be lost: all of it is sent once more, in order, by this edgeHub."""
        self.epoch += 1
        self._rewinding = True  # the sender leaves this lane alone meanwhile
        self._forget()
        await self._store.do(Rewind(self.priority))
        known = await self._store.ask(partial(Store.flight, priority=self.priority))
        self.flight.clear(instance)
        await self._begin_behind(known.confirmed)
        self._rewinding = False

    async def _begin_behind(self, seq: int) -> None:
        self._forget()
        epoch = self.epoch
        bound = await self._store.ask(partial(Store.batches, priority=self.priority, after=seq))
        if epoch == self.epoch:
            self._cursor = self._sent = seq
            self._bound = deque(bound)
            self._more = True

    def _forget(self) -> None:
        self._ahead.clear()
        self._sizes.clear()
        self._accepted.clear()
        self._next = None
        self._more = False

    async def _read(self, now: float) -> None:
        """Read some more ahead."""
        self._more = False
        epoch, cursor = self.epoch, self._cursor
        most = MOST_MEMBERS if self.batching else _PEEK
        found = await self._store.ask(
            lambda store: store.peek(self.priority, cursor, most=most, most_bytes=_PEEK_BYTES)
        )
        if epoch == self.epoch and cursor == self._cursor and found:
            self._ahead.extend(found)
            self._accepted.update((record.seq, now - record.waited_ms / 1000) for record in found)
            self._cursor = found[-1].seq
            self._more = True

    async def _form(self, now: float, *, hurry: bool) -> Parcel | None:
        if not self._ahead and self._more:
            await self._read(now)
        if not self._ahead:
            return None
        head = self._ahead[0]
        if not self._is_bound(head) and self.batching and not head.attempts:
            await self._bind(self.batching, now, hurry=hurry)
            if not self._is_bound(head):
                return None
        if not self._is_bound(head):
            return alone(head)
        batch = self._bound[0]
        while self._more and self._ahead and self._ahead[-1].seq < batch.last:
            await self._read(now)
        records = [record for record in self._ahead if record.seq <= batch.last]
        if not records:
            return None  # rewound meanwhile
        return together(records, compress=batch.gzip) if batch.first < batch.last else alone(head)

    def _is_bound(self, head: Stored) -> bool:
        while self._bound and self._bound[0].last < head.seq:
            self._bound.popleft()
        return bool(self._bound) and self._bound[0].first <= head.seq

    async def _bind(self, rule: Batching, now: float, *, hurry: bool) -> None:
        """Have the batches noted that what waits makes up; what makes up none yet stays.

        A record that goes alone is noted too: sent again in a batch it would be another message.
        """
        while self._more and len(self._ahead) < MOST_MEMBERS:
            await self._read(now)
        free = []
        for record in self._ahead:
            if record.attempts or (self._bound and record.seq >= self._bound[0].first):
                break
            free.append(record)
        counts, rest = divide([self._size(record) for record in free], rule.most_bytes)
        if rest:
            waited = now - self._accepted[free[len(free) - rest].seq]
            if hurry or waited >= rule.wait_s or len(free) < len(self._ahead):
                counts.append(rest)
            elif not counts:
                self.wait = rule.wait_s - waited
        batches = []
        for count in counts:
            members, free = free[:count], free[count:]
            batches.append(Batch(self.priority, members[0].seq, members[-1].seq, rule.gzip))
        epoch = self.epoch
        await asyncio.gather(*(self._store.do(batch) for batch in batches))
        if epoch == self.epoch:
            self._bound.extendleft(reversed(batches))

    def _size(self, record: Stored) -> int:
        """Bytes of it as a member."""
        if record.seq not in self._sizes:
            message = opened(record)
            self._sizes[record.seq] = len(encode_member(message)) + 1 if message else 0
        return self._sizes[record.seq]
