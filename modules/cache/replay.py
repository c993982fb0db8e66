"""Sending again what was delivered and is kept for audit: when nothing else waits, and only as fast as it arrives."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import deque
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import orjson

from modules.cache.flight import Flight
from modules.cache.lane import Asks
from modules.cache.parcel import Parcel, alone
from modules.cache.record import PRIORITIES, SAMPLES, Stored
from modules.cache.store import Range, Store

PROPERTY = "replay"
LANE = SAMPLES  # the output it goes by
_NOTE = "replay"
_WINDOW = 20  # in edgeHub at most: live samples queue behind them there
_WINDOW_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Place:
    """How far a replay is: behind `seq` of `priority`; `sent` were delivered."""

    priority: int = 0
    seq: int = 0
    sent: int = 0


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be sent again, under which name, and how far that is known to be delivered."""

    name: str
    source: str
    since: int
    until: int
    place: Place = Place()

    @property
    def range(self) -> Range:
        """What is meant."""
        return Range(self.source, self.since, self.until)


class Replay:
    """At most one order at a time; it is on disk, and goes on after a restart."""

    def __init__(self, store: Asks) -> None:
        self.flight = Flight(_WINDOW, _WINDOW_BYTES, 1.0)
        self.order: Order | None = None
        self.last: Order | None = None
        """The order before, once it is done or was stopped."""
        self._store = store
        self._ahead: deque[tuple[Place, Stored]] = deque()
        self._places: dict[int, Place] = {}
        self._read = Place()
        self._number = 0  # stands for seq in the flight, which orders over all priorities
        self.epoch = 0
        """Counts what makes all that was read or sent void."""
        self._changing = asyncio.Lock()

    async def restore(self, instance: str) -> None:
        """Go on with the order of an earlier run."""
        note = await self._store.ask(partial(Store.get, name=_NOTE))
        self.order = None
        self._again(instance)
        if note:
            document: dict[str, Any] = orjson.loads(note)
            self.order = Order(**document | {"place": Place(**document["place"])})
            self._read = self.order.place

    async def begin(self, order: Order) -> None:
        """Take an order on. Raises StoreError."""
        async with self._changing:
            await self._write(order)
            self._again(self.flight.instance)

    async def stop(self) -> None:
        """Send no more of it. Raises StoreError."""
        async with self._changing:
            if self.order:
                self.last = self.order
                await self._write(None)
                self._again(self.flight.instance)

    async def next(self) -> Parcel | None:
        """The message to send next; None when there is none, or no room for it in the window. Raises StoreError."""
        if self.order is None:
            return None
        epoch = self.epoch
        while not self._ahead and self._read.priority in PRIORITIES:
            priority, after = self._read.priority, self._read.seq
            wanted = self.order.range
            found, further = await self._store.ask(partial(Store.kept, priority=priority, wanted=wanted, after=after))
            if epoch != self.epoch:
                return None
            self._ahead.extend((Place(priority, record.seq), record) for record in found)
            self._read = Place(priority, further) if further else Place(priority + 1)
        if not self._ahead:
            if not self.flight.handed:
                await self.stop()
            return None
        record = self._ahead[0][1]
        return self._marked(record) if self.flight.room(record.size) else None

    def take(self) -> tuple[Place, Stored]:
        """What `next` gave is being sent."""
        return self._ahead.popleft()

    def handed(self, taken: tuple[Place, Stored], epoch: int, now: float) -> None:
        """EdgeHub has it; of no account where all was made void since `epoch`."""
        if epoch != self.epoch:
            return
        place, record = taken
        self._number += 1
        self._places[self._number] = place
        self.flight.hand(self._number, record.size, now)

    async def confirm(self, number: int, n: int) -> None:
        """The first `n` in flight, up to `number`, have left edgeHub. Raises StoreError."""
        async with self._changing:
            if self.order is None or number not in self._places:
                return  # stopped, or another, while this waited
            place = dataclasses.replace(self._places[number], sent=self.order.place.sent + n)
            await self._write(dataclasses.replace(self.order, place=place))
            self.flight.confirm(number)
            self._places = {key: value for key, value in self._places.items() if key > number}

    def rewind(self, instance: str) -> None:
        """What is in flight may be lost: it is sent once more."""
        self._again(instance)

    def facts(self) -> dict[str, object] | None:
        """What is said of it in `stats`."""
        order = self.order or self.last
        if order is None:
            return None
        return {
            "replay": order.name,
            "source": order.source,
            "sent": order.place.sent,
            "in_flight": len(self.flight.handed),
            "done": self.order is None,
        }

    def _again(self, instance: str) -> None:
        self.epoch += 1
        self._ahead.clear()
        self._places.clear()
        self.flight.clear(instance)
        self._read = self.order.place if self.order else Place()

    async def _write(self, order: Order | None) -> None:
        note = orjson.dumps(asdict(order)).decode() if order else ""
        await self._store.ask(partial(Store.set, name=_NOTE, value=note))
        self.order = order

    def _marked(self, record: Stored) -> Parcel:
        parcel = alone(record)
        if parcel.message is None or self.order is None:
            return parcel
        properties = {**parcel.message.properties, PROPERTY: self.order.name}
        return dataclasses.replace(parcel, message=dataclasses.replace(parcel.message, properties=properties))
