"""Group commit: everything that arrived while the last commit was running goes to disk in the next one.

The event loop fills the open batch; one thread applies batches to the store, or the loop itself where that is the
quicker way. What waits for durability gives a
callback, called on the loop after its commit with None, or with the error if the commit failed.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from typing import Protocol

import apsw

from localhub.hub.store import Batch

log = logging.getLogger(__name__)

REMOVAL_DELAY_S = 0.005  # a removal alone may wait this long for company: it costs a redelivery at worst
STOP_S = 5.0
RETRY_S = 1.0  # after a commit failed

QUICK_S = 0.001  # while the disk takes less than this over a commit the loop itself does the small ones
QUICK_ROWS = 512
QUICK_BYTES = 1 << 20
SMOOTHING = 0.1

Done = Callable[[Exception | None], None]
Expired = Callable[[list[tuple[int, int, int]]], None]
Outcome = tuple[Exception | None, list[tuple[int, int, int]]]


class Disk(Protocol):
    """Where batches go: a Store."""

    def apply(self, batch: Batch) -> list[tuple[int, int, int]]:
        """Do all of a batch durably, or raise apsw.Error and do nothing; what expired."""

    @property
    def wait_s(self) -> float:
        """How many seconds the last commit waited for the disk."""

    @property
    def untidy(self) -> bool:
        """Whether there is something to tidy."""

    def tidy(self) -> None:
        """Some of the housekeeping that takes a while."""


class Commits:
    """The one way to change the store while the hub runs; all methods belong to the loop's thread."""

    def __init__(self, store: Disk, expired: Expired) -> None:
        self._store = store
        self._expired = expired
        self._loop = asyncio.get_running_loop()
        self._batch = Batch()
        self._waiting: list[Done] = []
        self._running = False
        self._soon = False
        self._later: asyncio.TimerHandle | None = None
        self._jobs: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="hub-store")
        self._idle = asyncio.Event()
        self._idle.set()
        self._failing = False
        self._thread_busy = False  # also while it tidies: the store's connection is one thread's at a time
        self._wait_s = QUICK_S  # how long the disk takes over a commit of late

    def start(self) -> None:
        """Start the thread that writes."""
        self._thread.start()

    async def stop(self) -> None:
        """Commit what is open and end the thread; a disk that cannot be written is given up on."""
        self._start()
        try:
            async with asyncio.timeout(STOP_S):
                await self._idle.wait()
        except TimeoutError:
            log.warning("the last messages could not be written; they were not acknowledged")
        self._jobs.put(None)
        await self._loop.run_in_executor(None, self._thread.join)

    def open(self, done: Done | None = None) -> Batch:
        """The batch to add to, which will be committed as soon as the disk is free; `done` is called afterwards."""
        if done is not None:
            self._waiting.append(done)
        if not self._running and not self._soon:
            self._soon = True
            self._loop.call_soon(self._start)
        return self._batch

    def open_lazily(self) -> Batch:
        """The batch to add removals to, which nobody waits for."""
        if not self._running and not self._soon and self._later is None:
            self._later = self._loop.call_later(REMOVAL_DELAY_S, self._start)
        return self._batch

    def durable(self) -> asyncio.Future[None]:
        """Resolves when all that was added so far is on disk; raises what the commit raised."""
        future: asyncio.Future[None] = self._loop.create_future()

        def done(error: Exception | None) -> None:
            if future.cancelled():
                return
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

        self.open(done)
        return future

    def _start(self) -> None:
        self._soon = False
        if self._later is not None:
            self._later.cancel()
            self._later = None
        if self._running or not (self._batch or self._waiting):
            return
        self._running = True
        self._idle.clear()
        batch, self._batch = self._batch, Batch()
        waiting, self._waiting = self._waiting, []
        self._current = (batch, waiting)
        if self._is_quick(batch):
            self._finished(*self._apply(batch))
        else:
            self._jobs.put(batch)

    def _is_quick(self, batch: Batch) -> bool:
        """Whether the loop may do it itself: loop and thread wait for each other longer than a good disk takes."""
        return (
            self._wait_s < QUICK_S
            and len(batch.messages) + len(batch.removed) <= QUICK_ROWS
            and batch.expire is None
            and not self._store.untidy
            and not self._thread_busy
            and sum([len(body) for _, body, _ in batch.messages]) <= QUICK_BYTES
        )

    def _apply(self, batch: Batch) -> Outcome:
        try:
            expired = self._store.apply(batch)
        except apsw.Error as error:
            return error, []
        self._wait_s += (self._store.wait_s - self._wait_s) * SMOOTHING
        return None, expired

    def _work(self) -> None:
        while (batch := self._jobs.get()) is not None:
            self._thread_busy = True
            outcome = self._apply(batch)
            self._loop.call_soon_threadsafe(self._finished, *outcome)
            if outcome[0] is None:
                self._tidy()
            self._thread_busy = False

    def _tidy(self) -> None:
        try:
            while self._jobs.empty() and self._store.untidy:
                self._store.tidy()
        except apsw.Error as error:
            log.warning("the store could not be tidied: %s", error)

    def _finished(self, error: Exception | None, expired: list[tuple[int, int, int]]) -> None:
        batch, waiting = self._current
        self._running = False
        if error is None:
            if self._failing:
                log.warning("the store can be written again")
            self._failing = False
        else:
            self._keep(batch, error)
        if expired:
            self._expired(expired)
        for done in waiting:
            done(error)
        if not self._batch and not self._waiting:
            self._idle.set()
        elif error is not None:
            self._later = self._loop.call_later(RETRY_S, self._start)
        elif not self._soon:
            self._soon = True
            self._loop.call_soon(self._start)

    def _keep(self, batch: Batch, error: Exception) -> None:
        """What nobody waits for is tried again; what somebody waits for was refused, and is theirs to repeat."""
        if not self._failing:
            log.error("the store cannot be written, nothing will be acknowledged until it can: %s", error)
        self._failing = True
        self._batch.queues[:0] = batch.queues
        self._batch.removed[:0] = batch.removed
        self._batch.dead[:0] = batch.dead
        self._batch.expire = self._batch.expire or batch.expire
