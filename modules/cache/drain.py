"""Sending what is stored: by priority, in order, in its hours, within the bandwidth, and a window beyond what arrived.

docs/formats/cache.md, Flows: Hand, Batch, Replay. The decisions are in turn, bucket, windows and batching; here they
meet the clock, the store and edgeHub. What was delivered is seen in watch.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
import zoneinfo
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from modules.cache.bucket import Bucket
from modules.cache.lane import Lane
from modules.cache.outage import Intake
from modules.cache.parcel import Parcel
from modules.cache.record import AGGREGATES, ALERTS, PRIORITIES, SAMPLES
from modules.cache.replay import LANE, Order, Replay
from modules.cache.settings import CacheSettings
from modules.cache.store import Job, Store, StoreError
from modules.cache.turn import Turns
from modules.cache.watch import Hub, Watch
from modules.cache.windows import Schedule
from modules.cache.writer import StoreReplacedError, Writer
from modules.common.messages import BadMessage, Message

log = logging.getLogger(__name__)

T = TypeVar("T")

_MARK_AFTER_S = 0.25  # what is confirmed sooner needs no mark of its own; a crash repeats a window at most either way
_LONG_SEND_S = 0.25  # edgeHub may have gone and come back meanwhile
_AGAIN_S = 1.0
_HOLD_S = 1.0  # what cannot be sent for so long is let go of
_NOTE_OPEN_S = 3600.0  # between two notes of when the drain was open last: what a crash may add to a day shut
_OPEN = "open"

Send = Callable[[str, Message], Awaitable[None]]


class Drain:
    """Run `run` while the store is open; tell `notify` of every record stored.

    `changed` is called when the link to the cloud, as far as it is known, came or went.
    """

    def __init__(self, writer: Writer, send: Send, hub: Hub, settings: CacheSettings) -> None:
        self._writer = writer
        self._send = send
        self._turns = Turns({})
        self._bucket = Bucket(0.0)
        self._generation = writer.generation
        self._wake = asyncio.Event()
        self._marks_due = asyncio.Event()
        self._flushing = False
        self._schedule = Schedule((), UTC, 0.0)
        self._clock_offset = 0.0  # of the store's clock against the monotonic one, s
        self._noted_open = 0.0
        self._lanes = {priority: Lane(priority, self) for priority in PRIORITIES}
        self.replay = Replay(self)
        self.watch = Watch(self._lanes, self.replay, self, hub, self._wake.set)
        self.paused = False
        self.shut = False
        """Whether it is outside the hours."""
        self.resent = 0
        self.sent_bytes = 0
        self.metered = dict.fromkeys(PRIORITIES, 0)
        """Units of 4 KB sent, by priority."""
        self.metered_apart = dict.fromkeys(PRIORITIES, 0)
        """Units that they would have been one by one."""
        self.rate = Intake(constant_s=60.0)
        self.apply(settings)

    def apply(self, settings: CacheSettings) -> None:
        """Take other settings; what is in flight, and what is bound to be a batch, stays."""
        self._turns.weights = {AGGREGATES: settings.weights.aggregates, SAMPLES: settings.weights.samples}
        self._bucket.rate = settings.bandwidth_bytes_per_s
        self._schedule = Schedule(
            settings.hours.spans(), zoneinfo.ZoneInfo(settings.hours.zone), self._schedule.last_open
        )
        self._alerts_wait = settings.hours.alerts_wait
        batching = settings.batching()
        for priority, lane in self._lanes.items():
            lane.flight.most, lane.flight.most_bytes = settings.window_records, settings.window_bytes
            lane.flight.ttl = settings.upstream_ttl_s
            lane.batching = batching.get(priority)
        self.replay.flight.ttl = settings.upstream_ttl_s
        self._wake.set()

    def notify(self, priority: int) -> None:
        """A record was stored."""
        self._lanes[priority].notify()
        self._wake.set()

    def pause(self) -> None:
        """Send nothing until `resume`; what is stored stays stored."""
        self.paused = True
        self._wake.set()

    def resume(self) -> None:
        """Send on."""
        self.paused = False
        self._wake.set()

    def flush(self) -> None:
        """Send all that is stored now without regard to the bandwidth, the hours, and what batches wait for."""
        self._flushing = True
        self.resume()

    async def begin_replay(self, order: Order) -> None:
        """Send what is kept again, when nothing else waits. Raises StoreError."""
        await self.replay.begin(order)
        self._wake.set()

    async def let_go(self) -> None:
        """Forget what was read ahead, because some of it was erased. Raises StoreError."""
        for lane in self._lanes.values():
            await lane.release()
        self._wake.set()

    def in_flight(self, priority: int) -> int:
        """Messages of a priority in edgeHub and not known to be delivered."""
        return len(self._lanes[priority].flight.handed)

    async def run(self) -> None:
        """For ever; begins anew when a damaged store was replaced."""
        while True:
            try:
                await self._restore()
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._send_on())
                    tasks.create_task(self.watch.run())
                    tasks.create_task(self._mark_on())
            except* StoreReplacedError:
                log.warning("the drain begins anew with the store that took the damaged one's place")

    # The store, as lanes, replay and watch ask it.

    async def do(self, job: Job) -> object:
        """Have a job committed. Raises StoreError."""
        return await self._writer.do(job, self._generation)

    async def ask(self, question: Callable[[Store], T]) -> T:
        """An answer between two commits. Raises StoreError."""
        return await self._writer.ask(question, self._generation)

    # Sending

    async def _restore(self) -> None:
        self._generation = self._writer.generation
        self._clock_offset = await self.ask(Store.clock_ms) / 1000 - time.monotonic()
        noted = await self.ask(partial(Store.get, name=_OPEN))
        self._schedule.last_open = self._noted_open = float(noted) if noted else self._running()
        await self.watch.restore()

    def _running(self) -> float:
        """The store's own clock, s."""
        return time.monotonic() + self._clock_offset

    async def _send_on(self) -> None:
        sent = time.monotonic()
        while True:
            self._wake.clear()
            try:
                pause = await self._send_one()
                if pause == 0:
                    sent = time.monotonic()
                    continue
                held = _HOLD_S - (time.monotonic() - sent)
                if held > 0 and (pause is None or pause > held) and any(lane.holds for lane in self._lanes.values()):
                    pause = held
                elif held <= 0:
                    await self._release()
            except StoreError as error:
                log.error("the store cannot be read: %s", error)  # noqa: TRY400 -- it says why; no bug of ours
                pause = _AGAIN_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()

    async def _release(self) -> None:
        """Nothing could be sent for a while: what was read ahead may be evicted, or expire."""
        for lane in self._lanes.values():
            if lane.holds:
                await lane.release()

    async def _send_one(self) -> float | None:
        """Send the message whose turn it is: 0 when it went, else seconds to wait, or None for as long as it takes."""
        now = time.monotonic()
        for lane in self._lanes.values():
            lane.wait = math.inf
        if self.paused:
            return None
        shut = await self._shut_for()
        ready = await self._ready(now, shut=bool(shut))
        replayed = None
        if not ready:
            self._turns.next(())
            self._flushing = self._flushing and any(lane.waiting for lane in self._lanes.values())
            busy = shut or any(lane.full for lane in self._lanes.values())
            replayed = None if busy else await self.replay.next()
            if replayed is None:
                waits = [shut or math.inf, *(lane.wait for lane in self._lanes.values())]
                return None if min(waits) == math.inf else min(waits)
        if self.watch.must_look():
            return 0.0 if await self.watch.look() else _AGAIN_S
        priority = self._turns.next(ready) if ready else LANE
        assert priority is not None
        pause = 0.0 if priority == ALERTS or self._flushing else self._bucket.wait(now)
        if pause:
            return pause
        if replayed is not None:
            epoch, taken = self.replay.epoch, self.replay.take()
            await self._post(LANE, replayed)
            self.replay.handed(taken, epoch, time.monotonic())
            self.watch.handed()
        else:
            await self._hand(self._lanes[priority])
        return 0.0

    async def _ready(self, now: float, *, shut: bool) -> dict[int, Parcel]:
        """The next message of each priority that may go."""
        ready = {}
        for priority, lane in self._lanes.items():
            if shut and (priority != ALERTS or self._alerts_wait):
                continue
            parcel = await lane.next(now, hurry=self._flushing)
            if parcel is not None:
                ready[priority] = parcel
        return ready

    async def _shut_for(self) -> float:
        """Seconds until to see again whether it is open; 0 when it is. Notes when it was open last."""
        running = self._running()
        shut = 0.0 if self._flushing else self._schedule.wait(datetime.now(UTC), running)
        if self._schedule.windows and (bool(shut) > self.shut or running - self._noted_open >= _NOTE_OPEN_S):
            self._noted_open = running
            await self.ask(partial(Store.set, name=_OPEN, value=str(self._schedule.last_open)))
        self.shut = bool(shut)
        return shut

    async def _hand(self, lane: Lane) -> None:
        """Send a lane's next message and wait for edgeHub's PUBACK."""
        epoch, parcel = lane.epoch, lane.take()
        await self._post(lane.priority, parcel)
        if lane.handed(parcel, epoch, time.monotonic()):
            self.watch.handed()
            self._marks_due.set()

    async def _post(self, priority: int, parcel: Parcel) -> None:
        begun = time.monotonic()
        size = 0
        if parcel.message is not None:
            size = parcel.message.wire_size()
            try:
                await self._send(f"upstream{priority}", parcel.message)
            except BadMessage as error:
                log.error("message %s cannot be sent and is passed over: %s", parcel.message.message_id, error)  # noqa: TRY400 -- as it says
        now = time.monotonic()
        self.watch.doubt = self.watch.doubt or now - begun > _LONG_SEND_S
        self._turns.sent(priority, size)
        self._bucket.take(size, now)
        self.sent_bytes += size
        self.rate.observe(self.sent_bytes, now)
        self.metered[priority] += parcel.units
        self.metered_apart[priority] += parcel.apart
        self.resent += parcel.n if parcel.again else 0

    async def _mark_on(self) -> None:
        while True:
            await self._marks_due.wait()
            await asyncio.sleep(_MARK_AFTER_S)
            self._marks_due.clear()
            try:
                await self.watch.write_marks()
            except StoreError as error:
                log.warning("what edgeHub has cannot be noted, a crash now would repeat it: %s", error)
                await asyncio.sleep(_AGAIN_S)
                self._marks_due.set()
