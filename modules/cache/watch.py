"""Seeing what was delivered: edgeHub's queue is read while anything is in it, and what has left it is confirmed.

docs/formats/cache.md, Flows: Confirm, Send again. The decisions are in flight and stall.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from modules.cache.flight import Flight, Verdict
from modules.cache.hubqueue import HubSilentError, Lengths
from modules.cache.lane import Asks, Lane
from modules.cache.replay import LANE, Replay
from modules.cache.stall import Stall
from modules.cache.store import Confirm, Hand, Store, StoreError

log = logging.getLogger(__name__)

_FIRST_LOOK_S = 0.1  # after something was handed; with a window of 100 it allows 1,000 messages a second
_LONGEST_LOOK_S = 2.0  # while nothing moves, as when the link is away
_IDLE_LOOK_S = 2.0  # with nothing in flight: only for what edgeHub itself knows of its link, which no event tells
_LOOK_HOLDS_S = 1.0  # after which, with nothing in flight, edgeHub may be another


class Hub(Protocol):
    """Who tells edgeHub's queue lengths."""

    async def read(self) -> Lengths:
        """The lengths now. Raises HubSilentError."""


class Watch:
    """Watches edgeHub for some lanes and the replay; `moved` is called when there is room again.

    `changed` is called when the link or edgeHub's metrics came or went.
    """

    def __init__(
        self, lanes: Mapping[int, Lane], replay: Replay, store: Asks, hub: Hub, moved: Callable[[], None]
    ) -> None:
        self._lanes = lanes
        self._replay = replay
        self._store = store
        self._hub = hub
        self._moved = moved
        self.changed: Callable[[], None] = lambda: None
        self.doubt = False
        """Whether edgeHub may be another than the one that is known: look before anything more is handed to it."""
        self.silent = ""
        """Why edgeHub's metrics cannot be read."""
        self.stall = Stall()
        self._in_flight = asyncio.Event()
        self._look = asyncio.Lock()
        self._looked = -math.inf
        self._known_instance = ""

    async def restore(self) -> None:
        """Begin with what the store says was in flight. Raises StoreError."""
        self._looked = -math.inf
        self._in_flight.clear()
        now, wall = time.monotonic(), 1000 * time.time()
        self._known_instance = await self._store.ask(lambda store: store.get("hub") or "")
        for lane in self._lanes.values():
            if await lane.restore(self._known_instance, now, wall):
                self._in_flight.set()
                self.doubt = True
        await self._replay.restore(self._known_instance)

    def handed(self) -> None:
        """Something more is in edgeHub."""
        self._in_flight.set()

    def must_look(self) -> bool:
        """Whether it must be known which edgeHub is there before one more is handed to it.

        Else a message could go to another edgeHub than the one that is watched: to be confirmed though it was lost, or
        sent again though it was not.
        """
        if self._in_flight.is_set():
            return self.doubt
        return time.monotonic() - self._looked > _LOOK_HOLDS_S

    async def run(self) -> None:
        """Look, often at first and while things move, as long as anything is in flight; else now and then. For ever."""
        pause = _FIRST_LOOK_S
        while True:
            if not self._in_flight.is_set():
                pause = _FIRST_LOOK_S
                try:
                    async with asyncio.timeout(_IDLE_LOOK_S):
                        await self._in_flight.wait()
                except TimeoutError:
                    await self.look()
                    continue
            await asyncio.sleep(pause)
            before = self._count()
            await self.look()
            pause = _FIRST_LOOK_S if self._count() < before else min(1.5 * pause, _LONGEST_LOOK_S)
            oldest = self._oldest()
            if oldest is not None and self.stall.link != "down":
                pause = min(pause, max(_FIRST_LOOK_S, self.stall.due(oldest) - time.monotonic()))

    async def look(self) -> bool:
        """Ask edgeHub and act on the answer; False when it gave none."""
        async with self._look:
            flights = self._flights()
            newest = [flight.newest for flight in flights]
            try:
                lengths = await self._hub.read()
                await self._act(lengths, newest)
                if self.stall.told(away=lengths.away, now=time.monotonic()):
                    self.changed()
            except HubSilentError as error:
                if not self.silent:
                    log.warning("edgeHub's metrics cannot be read, so nothing can be confirmed: %s", error)
                    self.silent = str(error)
                    self.changed()
                return False
            except StoreError as error:
                log.warning("what was delivered cannot be noted: %s", error)
                return False
            self._looked = time.monotonic()
            if self.silent:
                log.info("edgeHub's metrics can be read again")
                self.silent = ""
                self.changed()
            self._judge_link()
            if not any(flight.handed for flight in flights):
                self._in_flight.clear()
            self.doubt = False
            return True

    async def write_marks(self) -> None:
        """Have on disk what is handed, so that a restart repeats nothing. Raises StoreError."""
        now, wall = time.monotonic(), time.time()
        hands = [
            Hand(priority, lane.flight.newest, round(1000 * (wall - (now - lane.flight.handed[0].at))))
            for priority, lane in self._lanes.items()
            if lane.flight.handed
        ]
        await asyncio.gather(*(self._store.do(hand) for hand in hands))

    def _flights(self) -> list[Flight]:
        return [*(lane.flight for lane in self._lanes.values()), self._replay.flight]

    def _count(self) -> int:
        return sum(len(flight.handed) for flight in self._flights())

    def _oldest(self) -> float | None:
        return min((flight.handed[0].at for flight in self._flights() if flight.handed), default=None)

    async def _act(self, lengths: Lengths, newest: list[int]) -> None:
        now = time.monotonic()
        *of_lanes, of_replay = newest
        for (priority, lane), last in zip(self._lanes.items(), of_lanes, strict=True):
            finding = lane.flight.judge(lengths.reading(priority), last, now)
            if finding.verdict is Verdict.LOST:
                await self._again(lane, lengths.instance)
            elif finding.verdict is Verdict.DRAINED:
                await self._confirm(lane, finding.seq, finding.n)
        finding = self._replay.flight.judge(lengths.reading(LANE), of_replay, now)
        if finding.verdict is Verdict.LOST:
            self._replay.rewind(lengths.instance)
            self._moved()
        elif finding.verdict is Verdict.DRAINED:
            self._note_moved(self._replay.flight)
            await self._replay.confirm(finding.seq, finding.n)
            self._moved()
        if lengths.instance != self._known_instance:
            await self._store.ask(partial(Store.set, name="hub", value=lengths.instance))
            self._known_instance = lengths.instance

    async def _confirm(self, lane: Lane, seq: int, n: int) -> None:
        flight = lane.flight
        rest = flight.handed[n].at if len(flight.handed) > n else None
        at = 0 if rest is None else round(1000 * (time.time() - (time.monotonic() - rest)))
        await self._store.do(Confirm(lane.priority, seq, at))
        self._note_moved(flight)
        flight.confirm(seq)
        self._moved()

    def _note_moved(self, flight: Flight) -> None:
        if flight.handed and self.stall.moved(flight.handed[0].at, time.monotonic()):
            self.changed()

    def _judge_link(self) -> None:
        oldest = self._oldest()
        if oldest is not None and self.stall.waits(oldest, time.monotonic()):
            self.changed()

    async def _again(self, lane: Lane, instance: str) -> None:
        """What is in flight may be lost: send all of it once more, in order."""
        log.warning(
            "edgeHub may have lost %d messages of priority %d: sent again", len(lane.flight.handed), lane.priority
        )
        await self.write_marks()
        await lane.rewind(instance)
        self._moved()
