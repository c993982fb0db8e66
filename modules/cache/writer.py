"""The store's one thread: all that wait when it comes round are one commit, and each is told in its event loop."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from modules.cache.record import Record
from modules.cache.store import (
    Append,
    Appended,
    Job,
    Store,
    StoreDamagedError,
    StoreError,
    StoreFailingError,
)

log = logging.getLogger(__name__)

T = TypeVar("T")

_REPLACE_AGAIN_S = 1.0
_MOST_JOBS = 1000  # of one commit; the store divides further what does not fit the WAL
_IDLE_S = 1.0  # between two looks at what can wait, when nothing else wakes the thread


class StoreReplacedError(Exception):
    """The store that was meant was damaged and another has taken its place: forget all seqs and begin anew."""


@dataclass(frozen=True, slots=True)
class _Order:
    """A job, or a question to the store, and where its answer goes."""

    job: Job | None
    question: Callable[[Store], object] | None
    answer: Future[Any]
    generation: int | None


class Writer:
    """Owns an open store. `replace` is given a damaged one's error and opens the next (House.replace).

    `gather_s` is waited for company before each commit: fewer commits and less wear, for latency.
    """

    def __init__(self, store: Store, replace: Callable[[StoreDamagedError], Store], *, gather_s: float = 0.0) -> None:
        self._store = store
        self._replace = replace
        self.gather_s = gather_s
        self.generation = 0
        self._orders: queue.SimpleQueue[_Order | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._thread.start()

    async def append(self, records: Sequence[Record]) -> Appended:
        """Have records committed; when this returns they are on disk. Raises StoreError: do not acknowledge."""
        result = await self.do(Append(records))
        assert isinstance(result, Appended)
        return result

    async def do(self, job: Job, generation: int | None = None) -> object:
        """Have a job committed. Raises StoreError; StoreReplacedError when it was meant for an earlier store."""
        return await asyncio.wrap_future(self._order(_Order(job, None, Future(), generation)))

    async def ask(self, question: Callable[[Store], T], generation: int | None = None) -> T:
        """Run `question` on the store's thread, between two commits. Raises as `do`, and what it raises."""
        answer: T = await asyncio.wrap_future(self._order(_Order(None, question, Future(), generation)))
        return answer

    def close(self) -> None:
        """Do what waits, close the store and end the thread. Blocks."""
        self._closing.set()
        self._orders.put(None)
        self._thread.join()

    def _order(self, order: _Order) -> Future[Any]:
        self._orders.put(order)
        return order.answer

    def _run(self) -> None:
        more_upkeep = True
        while not self._stopping.is_set():
            try:
                first = self._orders.get(timeout=0.0 if more_upkeep else _IDLE_S)
            except queue.Empty:
                more_upkeep = self._upkeep()
                continue
            more_upkeep = True
            self._serve(self._company(first))
        self._store.close()

    def _company(self, first: _Order | None) -> list[_Order]:
        """All that wait now; None among them ends the thread after them."""
        orders: list[_Order] = []
        item = first
        if self.gather_s and first is not None:
            self._stopping.wait(self.gather_s)
        while item is not None:
            if item.answer.set_running_or_notify_cancel():  # else whoever asked has gone
                orders.append(item)
            if len(orders) == _MOST_JOBS:
                return orders
            try:
                item = self._orders.get_nowait()
            except queue.Empty:
                return orders
        self._stopping.set()
        return orders

    def _serve(self, orders: Sequence[_Order]) -> None:
        """Jobs that follow each other are one commit; questions are answered in their place among them."""
        group: list[_Order] = []
        for order in orders:
            if order.generation not in {None, self.generation}:
                order.answer.set_exception(StoreReplacedError("meant for a store that was damaged and replaced"))
            elif order.job is not None:
                group.append(order)
            else:
                self._commit(group)
                group = []
                self._answer(order)
        self._commit(group)

    def _commit(self, group: Sequence[_Order]) -> None:
        if not group:
            return
        try:
            results = self._store.apply([order.job for order in group if order.job is not None])
        except StoreDamagedError as error:
            self._start_again(error)
            failure = StoreFailingError("the store was damaged and has been replaced; once more, please")
            for order in group:
                order.answer.set_exception(failure)
            return
        except Exception as error:  # noqa: BLE001 -- whatever it is, those who wait must hear of it
            for order in group:
                order.answer.set_exception(error)
            return
        for order, result in zip(group, results, strict=True):
            if isinstance(result, StoreError):
                order.answer.set_exception(result)
            else:
                order.answer.set_result(result)

    def _answer(self, order: _Order) -> None:
        assert order.question is not None
        try:
            order.answer.set_result(order.question(self._store))
        except StoreDamagedError as error:
            self._start_again(error)
            order.answer.set_exception(StoreFailingError("the store was damaged and has been replaced; ask again"))
        except Exception as error:  # noqa: BLE001 -- whatever it is, who asked must hear of it
            order.answer.set_exception(error)

    def _upkeep(self) -> bool:
        try:
            return self._store.upkeep()
        except StoreDamagedError as error:
            self._start_again(error)
        except StoreError:
            pass  # a full or failing disk is told to those who append; what can wait waits
        return False

    def _start_again(self, error: StoreDamagedError) -> None:
        """Have another store; for as long as the disk does not allow it nothing is accepted, and nothing answered."""
        self._store.abandon()
        said = ""
        while True:
            try:
                self._store = self._replace(error)
            except (StoreError, OSError) as failure:
                if str(failure) != said:
                    log.error("the damaged store cannot be replaced, trying on: %s", failure)  # noqa: TRY400 -- no bug
                    said = str(failure)
                if self._closing.wait(_REPLACE_AGAIN_S):
                    raise
            else:
                break
        self.generation += 1
