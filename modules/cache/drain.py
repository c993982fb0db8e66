"""Sending what is stored: by priority, in order, within the bandwidth, and only a window beyond what was delivered.

docs/formats/cache.md, Flows: Hand, Confirm, Send again. The decisions are in turn, bucket and flight; here they meet
the clock, the store and edgeHub.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol, TypeVar

from modules.cache.bucket import Bucket
from modules.cache.envelope import unwrap
from modules.cache.flight import Flight, Verdict
from modules.cache.hubqueue import HubSilentError, Lengths
from modules.cache.outage import Intake
from modules.cache.record import AGGREGATES, ALERTS, PRIORITIES, SAMPLES, Stored
from modules.cache.settings import CacheSettings
from modules.cache.store import Confirm, Hand, Job, Rewind, Store, StoreError
from modules.cache.turn import Turns
from modules.cache.writer import StoreReplacedError, Writer
from modules.common.messages import BadMessage, Message

log = logging.getLogger(__name__)

T = TypeVar("T")

_FIRST_LOOK_S = 0.1  # after something was handed; with a window of 100 it allows 1,000 records a second
_LONGEST_LOOK_S = 2.0  # while nothing moves, as when the link is away
_LOOK_HOLDS_S = 1.0  # after which, with nothing in flight, edgeHub may be another
_MARK_AFTER_S = 0.25  # what is confirmed sooner needs no mark of its own; a crash repeats a window at most either way
_PEEK = 32
_PEEK_BYTES = 1024 * 1024
_LONG_SEND_S = 0.25  # edgeHub may have gone and come back meanwhile
_AGAIN_S = 1.0

Send = Callable[[str, Message], Awaitable[None]]


class Hub(Protocol):
    """Who tells edgeHub's queue lengths."""

    async def read(self) -> Lengths:
        """The lengths now. Raises HubSilentError."""


class Drain:
    """Run `run` while the store is open; tell `notify` of every record stored."""

    def __init__(self, writer: Writer, send: Send, hub: Hub, settings: CacheSettings) -> None:
        self._writer = writer
        self._send = send
        self._hub = hub
        self._turns = Turns({})
        self._bucket = Bucket(0.0)
        self._flights = {priority: Flight(1, 1, 1.0) for priority in PRIORITIES}
        self._ahead: dict[int, deque[Stored]] = {priority: deque() for priority in PRIORITIES}
        self._cursor = dict.fromkeys(PRIORITIES, 0)
        self._more = dict.fromkeys(PRIORITIES, True)
        self._epoch = dict.fromkeys(PRIORITIES, 0)  # counts the rewinds
        self._wake = asyncio.Event()
        self._in_flight = asyncio.Event()
        self._marks_due = asyncio.Event()
        self._look = asyncio.Lock()
        self._doubt = False
        self._flushing = False
        self._rewinding: set[int] = set()
        self._generation = 0
        self._looked = -math.inf
        self._known_instance = ""
        self.paused = False
        self.hub_silent = ""
        self.resent = 0
        self.sent_bytes = 0
        self.rate = Intake(constant_s=60.0)
        self.apply(settings)

    def apply(self, settings: CacheSettings) -> None:
        """Take other settings; what is in flight stays."""
        self._turns.weights = {AGGREGATES: settings.weights.aggregates, SAMPLES: settings.weights.samples}
        self._bucket.rate = settings.bandwidth_bytes_per_s
        for flight in self._flights.values():
            flight.most, flight.most_bytes = settings.window_records, settings.window_bytes
            flight.ttl = settings.upstream_ttl_s
        self._wake.set()

    def notify(self, priority: int) -> None:
        """A record was stored."""
        self._more[priority] = True
        self._wake.set()

    def pause(self) -> None:
        """Send nothing until `resume`; what is stored stays stored."""
        self.paused = True

    def resume(self) -> None:
        """Send on."""
        self.paused = False
        self._wake.set()

    def flush(self) -> None:
        """Send all that is stored now without regard to the bandwidth."""
        self._flushing = True
        self.resume()

    def in_flight(self, priority: int) -> int:
        """Records of a priority in edgeHub and not known to be delivered."""
        return len(self._flights[priority].handed)

    async def run(self) -> None:
        """For ever; begins anew when a damaged store was replaced."""
        while True:
            try:
                await self._restore()
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._send_on())
                    tasks.create_task(self._watch())
                    tasks.create_task(self._mark_on())
            except* StoreReplacedError:
                log.warning("the drain begins anew with the store that took the damaged one's place")

    async def write_marks(self) -> None:
        """Have on disk what is handed, so that a restart repeats nothing. Raises StoreError."""
        now, wall = time.monotonic(), time.time()
        hands = [
            Hand(priority, flight.newest, round(1000 * (wall - (now - flight.handed[0].at))))
            for priority, flight in self._flights.items()
            if flight.handed
        ]
        await asyncio.gather(*(self._do(hand) for hand in hands))

    async def _do(self, job: Job) -> None:
        await self._writer.do(job, self._generation)

    async def _ask(self, question: Callable[[Store], T]) -> T:
        return await self._writer.ask(question, self._generation)

    # Sending

    async def _restore(self) -> None:
        """Begin with what the store says was in flight, for as long as the wall clock says, or longer."""
        self._generation = self._writer.generation
        self._looked = -math.inf
        self._in_flight.clear()
        now, wall = time.monotonic(), 1000 * time.time()
        self._known_instance = await self._ask(lambda store: store.get("hub") or "")
        for priority, flight in self._flights.items():
            known = await self._ask(partial(Store.flight, priority=priority))
            flight.clear(self._known_instance)
            self._ahead[priority].clear()
            self._epoch[priority] += 1
            self._more[priority] = True
            age = abs(wall - known.at) / 1000 if known.records else 0.0
            for seq, size in known.records:
                flight.hand(seq, size, now - age)
            self._cursor[priority] = known.handed
            if known.records:
                self._in_flight.set()
                self._doubt = True

    async def _send_on(self) -> None:
        while True:
            self._wake.clear()
            pause = await self._send_one()
            if pause is None:
                await self._wake.wait()
            elif pause:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wake.wait()

    async def _send_one(self) -> float | None:
        """Send the record whose turn it is: 0 when it went, else seconds to wait, or None for as long as it takes."""
        if self.paused:
            return None
        try:
            ready = [priority for priority in PRIORITIES if await self._ready(priority)]
        except StoreError as error:
            log.error("the store cannot be read: %s", error)  # noqa: TRY400 -- it says why; no bug of ours
            return _AGAIN_S
        if not ready:
            self._turns.next(())
            self._flushing = self._flushing and any(self._ahead.values())
            return None
        if self._must_look():
            self._doubt = not await self._look_once()
            return _AGAIN_S if self._doubt else 0.0
        priority = self._turns.next(ready)
        assert priority is not None
        pause = 0.0 if priority == ALERTS or self._flushing else self._bucket.wait(time.monotonic())
        if pause:
            return pause
        await self._hand(priority, self._ahead[priority].popleft())
        return 0.0

    def _must_look(self) -> bool:
        """Whether it must be known which edgeHub is there before one more is handed to it.

        Else a message could go to another edgeHub than the one that is watched: to be confirmed though it was lost, or
        sent again though it was not.
        """
        if self._in_flight.is_set():
            return self._doubt
        return time.monotonic() - self._looked > _LOOK_HOLDS_S

    async def _ready(self, priority: int) -> bool:
        """Whether there is a record of this priority, and room for it in the window."""
        ahead = self._ahead[priority]
        if priority in self._rewinding:
            return False
        if not ahead and self._more[priority]:
            self._more[priority] = False
            epoch, cursor = self._epoch[priority], self._cursor[priority]
            found = await self._ask(lambda store: store.peek(priority, cursor, most=_PEEK, most_bytes=_PEEK_BYTES))
            if epoch == self._epoch[priority] and found:
                ahead.extend(found)
                self._cursor[priority] = found[-1].seq
                self._more[priority] = True
        return bool(ahead) and self._flights[priority].room(ahead[0].size)

    async def _hand(self, priority: int, record: Stored) -> None:
        """Send one record and wait for edgeHub's PUBACK."""
        epoch, begun = self._epoch[priority], time.monotonic()
        try:
            message = unwrap(record.message_id, record.kind, record.source, record.source_seq, record.payload)
            await self._send(f"upstream{priority}", message)
        except (BadMessage, ValueError) as error:
            # Nothing that passed the input can come here; were it so, the line behind it must not stop.
            log.error("message %s cannot be sent and is passed over: %s", record.message_id, error)  # noqa: TRY400
        now = time.monotonic()
        self._doubt = self._doubt or now - begun > _LONG_SEND_S
        self._turns.sent(priority, record.size)
        self._bucket.take(record.size, now)
        self.sent_bytes += record.size
        self.rate.observe(self.sent_bytes, now)
        if record.attempts:
            self.resent += 1
        if epoch != self._epoch[priority]:
            return  # rewound meanwhile: it is sent again in its order
        self._flights[priority].hand(record.seq, record.size, now)
        self._in_flight.set()
        self._marks_due.set()

    async def _mark_on(self) -> None:
        while True:
            await self._marks_due.wait()
            await asyncio.sleep(_MARK_AFTER_S)
            self._marks_due.clear()
            try:
                await self.write_marks()
            except StoreError as error:
                log.warning("what edgeHub has cannot be noted, a crash now would repeat it: %s", error)
                await asyncio.sleep(_AGAIN_S)
                self._marks_due.set()

    # Confirming

    async def _watch(self) -> None:
        pause = _FIRST_LOOK_S
        while True:
            if not self._in_flight.is_set():
                await self._in_flight.wait()
                pause = _FIRST_LOOK_S
            await asyncio.sleep(pause)
            before = sum(len(flight.handed) for flight in self._flights.values())
            await self._look_once()
            moved = sum(len(flight.handed) for flight in self._flights.values()) < before
            pause = _FIRST_LOOK_S if moved else min(1.5 * pause, _LONGEST_LOOK_S)

    async def _look_once(self) -> bool:
        """Ask edgeHub and act on the answer; False when it gave none."""
        async with self._look:
            newest = {priority: flight.newest for priority, flight in self._flights.items()}
            try:
                lengths = await self._hub.read()
                await self._act(lengths, newest)
            except HubSilentError as error:
                if not self.hub_silent:
                    log.warning("edgeHub's metrics cannot be read, so nothing can be confirmed: %s", error)
                self.hub_silent = str(error)
                return False
            except StoreError as error:
                log.warning("what was delivered cannot be noted: %s", error)
                return False
            self._looked = time.monotonic()
            if self.hub_silent:
                log.info("edgeHub's metrics can be read again")
                self.hub_silent = ""
            if not any(flight.handed for flight in self._flights.values()):
                self._in_flight.clear()
            return True

    async def _act(self, lengths: Lengths, newest: dict[int, int]) -> None:
        now = time.monotonic()
        for priority, flight in self._flights.items():
            finding = flight.judge(lengths.reading(priority), newest[priority], now)
            if finding.verdict is Verdict.LOST:
                await self._again(priority, lengths.instance)
            elif finding.verdict is Verdict.DRAINED:
                await self._confirm(priority, finding.seq, finding.n)
        if lengths.instance != self._known_instance:
            await self._ask(lambda store: store.set("hub", lengths.instance))
            self._known_instance = lengths.instance

    async def _confirm(self, priority: int, seq: int, n: int) -> None:
        flight = self._flights[priority]
        rest = flight.handed[n].at if len(flight.handed) > n else None
        at = 0 if rest is None else round(1000 * (time.time() - (time.monotonic() - rest)))
        await self._do(Confirm(priority, seq, at))
        flight.confirm(seq)
        self._wake.set()

    async def _again(self, priority: int, instance: str) -> None:
        """What is in flight may be lost: send all of it once more, in order."""
        flight = self._flights[priority]
        log.warning("edgeHub may have lost %d messages of priority %d: sent again", len(flight.handed), priority)
        self._epoch[priority] += 1
        self._ahead[priority].clear()
        self._more[priority] = False  # the sender leaves this priority alone until it is rewound
        self._rewinding.add(priority)
        await self.write_marks()
        await self._do(Rewind(priority))
        known = await self._ask(lambda store: store.flight(priority))
        self._cursor[priority] = known.confirmed
        flight.clear(instance)
        self._rewinding.discard(priority)
        self.notify(priority)
