"""The cache on the edge: `telemetry` in, committed before it is acknowledged; `upstream0..2` out; verbs."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Mapping
from functools import partial

import orjson

from modules.cache import figures
from modules.cache.control import Control
from modules.cache.drain import Drain
from modules.cache.envelope import wrap
from modules.cache.hubqueue import HubQueue
from modules.cache.keytender import KeyTender
from modules.cache.meters import Meters
from modules.cache.operatorkey import OperatorKey, OperatorKeyError
from modules.cache.outage import Intake
from modules.cache.record import PRIORITIES, Record
from modules.cache.settings import CacheSettings
from modules.cache.store import Store, StoreBusyError, StoreError, StoreFailingError
from modules.cache.store.house import House
from modules.cache.verbs import Verbs
from modules.cache.workload import WorkloadUnreachableError
from modules.cache.writer import Writer
from modules.common.edge import Edge
from modules.common.messages import MAX_PACKET, BadMessage, Message, members
from modules.common.methods import MethodError
from modules.common.settings import SettingsError

log = logging.getLogger(__name__)

HUB_METRICS = "http://edgeHub:9600/metrics"
_FIGURES_S = 2.0
_AGAIN_S = 1.0
_LONGEST_ANSWER = 4096  # characters of a command's answer in the heartbeat; the page reads more from the view
_OUTPUT = "upstream0"  # all three are as long as this
_SURELY_FITS = MAX_PACKET - 1024


def _record(message: Message) -> Record:
    """What is stored of a message. Raises BadMessage for one that could not go on upstream."""
    # Percent-encoding makes no byte more than three: most messages need not be measured exactly.
    if 3 * message.wire_size() > _SURELY_FITS and message.packet_size(_OUTPUT) > MAX_PACKET:
        raise BadMessage("oversize", f"no room for it in a packet to {_OUTPUT}")
    return wrap(message)


class CacheModule:
    """One cache: a store behind a writer, a drain before edgeHub."""

    def __init__(self, edge: Edge[CacheSettings], house: House) -> None:
        self._edge = edge
        self._house = house
        self._hub = HubQueue(os.environ.get("MILLWATCH_HUB_METRICS") or HUB_METRICS)
        self._opened = asyncio.Event()
        self._writer: Writer | None = None
        self._drain: Drain | None = None
        self._draining: asyncio.Task[None] | None = None
        self._intake = Intake()
        self._blocked = "the store is not open yet"
        self._figures: dict[str, object] = {"state": "warn", "text": self._blocked}
        self._last_command: dict[str, object] | None = None
        self._errands: set[asyncio.Task[None]] = set()
        self._verbs = Verbs(house, self._open_parts, self._stats)
        self._control = Control(house.root, self._verbs.handlers)
        self._meters = Meters(edge.metrics)
        edge.on_input("telemetry", self.accept)
        edge.on_input("commands", self._command)
        for verb, handler in self._verbs.handlers.items():
            edge.on_method(verb, handler)
        edge.on_settings(self.apply)
        edge.view("cache", self._view)
        edge.health(lambda: self._figures)
        edge.background("store", self._live)
        edge.background("keys", self._tend_keys)
        edge.on_stop(self.stop)

    async def accept(self, message: Message) -> None:
        """Have a message on disk; returning acknowledges it. Waits for as long as there is no room for an alert.

        The members of a batch are records of their own, in one commit.
        """
        records = [_record(each) for each in members(message)]
        await self._opened.wait()
        writer, drain = self._writer, self._drain
        assert writer is not None
        assert drain is not None
        while True:
            try:
                result = await writer.append(records)
            except ValueError as error:
                raise BadMessage("wrong_shape", str(error)) from error
            except StoreError as error:
                if not self._blocked:
                    log.error("nothing is accepted until this is mended: %s", error)  # noqa: TRY400 -- no bug of ours
                self._blocked = str(error)
                self._edge.beat()
                await asyncio.sleep(_AGAIN_S)
            else:
                break
        if self._blocked:
            log.info("messages are accepted again")
            self._blocked = ""
        self._meters.duplicates.inc(result.duplicates)
        for priority in {record.priority for record in records}:
            drain.notify(priority)

    async def apply(self, settings: CacheSettings) -> None:
        """Take other settings. Raises SettingsError when a smaller bound would cost alerts."""
        operator = _operator(settings)
        if (
            self._writer is not None
            and settings.bound_bytes != self._edge.settings.bound_bytes
            and not await self._writer.ask(lambda store: store.resize(settings.bound_bytes))
        ):
            raise SettingsError("bound_bytes: the alerts that are stored do not fit; let them drain first")
        self._house.limits, self._house.operator = settings.limits(), operator
        if self._writer is None or self._drain is None:
            return
        changed = await asyncio.to_thread(self._house.keys.give, self._house.operator)
        if changed is not None:
            await self._writer.ask(partial(Store.set, name="keys", value=changed.copy))
        await self._writer.ask(lambda store: store.set_limits(settings.limits()))
        self._writer.gather_s = settings.gather_ms / 1000
        self._drain.apply(settings)

    async def stop(self) -> None:
        """Note what edgeHub has, commit and close."""
        self._control.stop()
        self._verbs.close()
        if self._draining is not None:
            self._draining.cancel()
            await asyncio.gather(self._draining, return_exceptions=True)
        if self._writer is not None and self._drain is not None:
            try:
                await self._drain.watch.write_marks()
            finally:
                await asyncio.to_thread(self._writer.close)
        self._hub.close()

    async def _live(self) -> None:
        """Open the store, then drain it, and keep the figures."""
        store = await self._open()
        settings = self._edge.settings
        self._writer = Writer(store, self._house.replace, gather_s=settings.gather_ms / 1000)
        self._drain = Drain(self._writer, self._edge.send, self._hub, settings)
        self._drain.watch.changed = self._link_changed
        self._draining = asyncio.create_task(self._drain.run(), name="drain")
        self._draining.add_done_callback(self._drain_ended)
        self._blocked = ""
        self._opened.set()
        await self._control.start()
        while not self._draining.done():
            await self._note()
            await asyncio.sleep(_FIGURES_S)
        if not self._draining.cancelled():
            self._draining.result()

    def _drain_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            log.error("the drain failed: %s", task.exception())

    async def _open(self) -> Store:
        """The store, once the workload API can be reached and no other process holds it."""
        said = ""
        self._house.limits = self._edge.settings.limits()
        try:
            self._house.operator = _operator(self._edge.settings)
        except SettingsError as error:  # a file that is not mounted must not keep the line from being recorded
            log.error("nothing is wrapped for an operator: %s", error)  # noqa: TRY400 -- no bug of ours
        while True:
            try:
                return await asyncio.to_thread(self._house.open)
            except (WorkloadUnreachableError, StoreBusyError, StoreFailingError, OSError) as error:
                self._blocked = str(error)
                self._figures = {"state": "fail", "text": f"the store cannot be opened: {error}"}
                if str(error) != said:
                    log.error("the store cannot be opened, trying on: %s", error)  # noqa: TRY400 -- no bug of ours
                    said = str(error)
                await asyncio.sleep(_AGAIN_S)

    async def _note(self) -> None:
        """Take the figures for heartbeat, metrics and view."""
        try:
            self._figures = await self._stats()
        except StoreError as error:
            self._figures = {"state": "fail", "text": f"the store cannot be read: {error}"}

    async def _stats(self) -> dict[str, object]:
        writer, drain = self._open_parts()
        stats = await writer.ask(Store.stats)
        now = time.monotonic()
        self._intake.observe(sum(depth.accepted_bytes for depth in stats.priorities), now)
        drain.rate.observe(drain.sent_bytes, now)
        self._meters.show(stats, drain)
        moment = figures.Moment(
            in_flight=tuple(drain.in_flight(priority) for priority in PRIORITIES),
            resent=drain.resent,
            sent_bytes_per_s=drain.rate.rate,
            paused=drain.paused,
            blocked=self._blocked,
            hub_silent=drain.watch.silent,
            hours_left=self._intake.hours_left(stats.free_bytes, figures.overhead(stats), now),
            link=drain.watch.stall.link,
            shut=drain.shut,
            metered=tuple(drain.metered.values()),
            metered_apart=tuple(drain.metered_apart.values()),
            replay=drain.replay.facts(),
            keys=tuple(self._house.keys.keys),
        )
        document = figures.document(stats, moment, self._house.set_aside())
        return document | {"last_command": self._last_command} if self._last_command else document

    def _link_changed(self) -> None:
        """The page shall show it now, not with the next heartbeat."""
        errand = asyncio.create_task(self._tell(), name="link")
        self._errands.add(errand)
        errand.add_done_callback(self._errands.discard)

    async def _tell(self) -> None:
        await self._note()
        self._edge.beat()

    async def _tend_keys(self) -> None:
        await self._opened.wait()
        await KeyTender(self._house, self._open_parts).run()

    # Verbs

    def _open_parts(self) -> tuple[Writer, Drain]:
        if self._writer is None or self._drain is None:
            raise MethodError(503, self._blocked)
        return self._writer, self._drain

    async def _command(self, message: Message) -> None:
        """A verb from the page; what became of it stands in the next heartbeat."""
        document = message.document()
        verb = str(document.get("verb"))[:40]
        handler = self._verbs.handlers.get(verb)
        if handler is None:
            raise BadMessage("unknown_command", verb)
        own = {"verb", "target"} if verb == "erase" else {"verb", "target", "who", "why"}
        try:
            answer = await handler({key: value for key, value in document.items() if key not in own})
        except MethodError as error:
            self._last_command = {"verb": verb, "ok": False, "error": str(error)}
            await self._tell()
            raise BadMessage("bad_command", str(error)) from error
        text = orjson.dumps(answer).decode()
        shown = answer if len(text) <= _LONGEST_ANSWER else "too long for a heartbeat: call the direct method"
        self._last_command = {"verb": verb, "ok": True, "answer": None if verb in {"stats", "flush"} else shown}
        await self._tell()

    def _view(self, _query: Mapping[str, str]) -> tuple[str, bytes]:
        return "application/json", orjson.dumps(self._figures)


def _operator(settings: CacheSettings) -> OperatorKey | None:
    """The operator's public key, if one is set. Raises SettingsError."""
    try:
        return OperatorKey.read(settings.operator_key) if settings.operator_key else None
    except OperatorKeyError as error:
        raise SettingsError(str(error)) from error
