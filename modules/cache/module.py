"""The cache on the edge: `telemetry` in, committed before it is acknowledged; `upstream0..2` out; verbs."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict

import orjson

from modules.cache import figures
from modules.cache.drain import Drain
from modules.cache.envelope import wrap
from modules.cache.hubqueue import HubQueue
from modules.cache.outage import Intake
from modules.cache.record import PRIORITIES
from modules.cache.settings import CacheSettings
from modules.cache.store import Store, StoreBusyError, StoreError, StoreFailingError
from modules.cache.store.house import House
from modules.cache.workload import WorkloadUnreachableError
from modules.cache.writer import Writer
from modules.common.edge import Edge
from modules.common.messages import MAX_PACKET, BadMessage, Message
from modules.common.methods import MethodError
from modules.common.settings import SettingsError

log = logging.getLogger(__name__)

HUB_METRICS = "http://edgeHub:9600/metrics"
_FIGURES_S = 2.0
_AGAIN_S = 1.0
_MOST_SHOWN = 100
_OUTPUT = "upstream0"  # all three are as long as this


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
        self._duplicates = edge.metrics.counter("millwatch_cache_duplicates_total", "Ids that were known")
        self._depth = edge.metrics.gauge("millwatch_cache_depth", "Records that wait", "priority")
        self._bytes = edge.metrics.gauge("millwatch_cache_bytes", "Sealed bytes that wait", "priority")
        self._dropped = edge.metrics.gauge("millwatch_cache_dropped", "Records dropped", "priority", "reason")
        self._files = edge.metrics.gauge("millwatch_cache_file_bytes", "Bytes on disk")
        edge.on_input("telemetry", self.accept)
        edge.on_input("commands", self._command)
        for verb, handler in self._verbs().items():
            edge.on_method(verb, handler)
        edge.on_settings(self.apply)
        edge.view("cache", self._view)
        edge.health(lambda: self._figures)
        edge.background("store", self._live)
        edge.on_stop(self.stop)

    async def accept(self, message: Message) -> None:
        """Have a message on disk; returning acknowledges it. Waits for as long as there is no room for an alert."""
        if message.packet_size(_OUTPUT) > MAX_PACKET:
            raise BadMessage("oversize", f"no room for it in a packet to {_OUTPUT}")
        record = wrap(message)
        await self._opened.wait()
        writer, drain = self._writer, self._drain
        assert writer is not None
        assert drain is not None
        while True:
            try:
                result = await writer.append([record])
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
        self._duplicates.inc(result.duplicates)
        drain.notify(record.priority)

    async def apply(self, settings: CacheSettings) -> None:
        """Take other settings. Raises SettingsError when a smaller bound would cost alerts."""
        self._house.limits = settings.limits()
        if self._writer is None or self._drain is None:
            return
        if settings.bound_bytes != self._edge.settings.bound_bytes and not await self._writer.ask(
            lambda store: store.resize(settings.bound_bytes)
        ):
            raise SettingsError("bound_bytes: the alerts that are stored do not fit; let them drain first")
        await self._writer.ask(lambda store: store.set_limits(settings.limits()))
        self._writer.gather_s = settings.gather_ms / 1000
        self._drain.apply(settings)

    async def stop(self) -> None:
        """Note what edgeHub has, commit and close."""
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
        self._draining = asyncio.create_task(self._drain.run(), name="drain")
        self._draining.add_done_callback(self._drain_ended)
        self._blocked = ""
        self._opened.set()
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
        for priority in PRIORITIES:
            self._depth.labels(str(priority)).set(stats.priorities[priority].depth)
            self._bytes.labels(str(priority)).set(stats.priorities[priority].bytes)
        for drop in stats.dropped:
            self._dropped.labels(str(drop.priority), drop.reason).set(drop.n)
        self._files.set(stats.file_bytes)
        moment = figures.Moment(
            in_flight=tuple(drain.in_flight(priority) for priority in PRIORITIES),
            resent=drain.resent,
            sent_bytes_per_s=drain.rate.rate,
            paused=drain.paused,
            blocked=self._blocked,
            hub_silent=drain.watch.silent,
            hours_left=self._intake.hours_left(stats.free_bytes, figures.overhead(stats), now),
        )
        return figures.document(stats, moment, self._house.set_aside())

    # Verbs

    def _verbs(self) -> Mapping[str, Callable[[object], Awaitable[object]]]:
        return {
            "stats": self._verb_stats,
            "flush": self._verb_flush,
            "pause": self._verb_pause,
            "resume": self._verb_resume,
            "verify": self._verb_verify,
            "inspect": self._verb_inspect,
        }

    def _open_parts(self) -> tuple[Writer, Drain]:
        if self._writer is None or self._drain is None:
            raise MethodError(503, self._blocked)
        return self._writer, self._drain

    async def _verb_stats(self, _payload: object) -> object:
        return await self._stats()

    async def _verb_flush(self, _payload: object) -> object:
        """Send all that is stored now, whatever the bandwidth."""
        self._open_parts()[1].flush()
        return await self._stats()

    async def _verb_pause(self, _payload: object) -> object:
        self._open_parts()[1].pause()
        return {"paused": True}

    async def _verb_resume(self, _payload: object) -> object:
        self._open_parts()[1].resume()
        return {"paused": False}

    async def _verb_verify(self, _payload: object) -> object:
        """Authenticate every stored record, some at a time, while the cache goes on."""
        writer, _ = self._open_parts()
        seen = damaged = 0
        for priority in PRIORITIES:
            after = -1
            while after:
                start = max(after, 0)
                after, n, bad = await writer.ask(
                    lambda store, priority=priority, start=start: store.verify(priority, start)  # type: ignore[misc]
                )
                seen, damaged = seen + n, damaged + bad
        return {"records": seen, "damaged": damaged}

    async def _verb_inspect(self, payload: object) -> object:
        """The oldest records: {"priority": 0..2, "after": seq, "count": n}, all of them optional."""
        writer, _ = self._open_parts()
        asked = payload if isinstance(payload, dict) else {}
        try:
            priority, after, count = (int(asked.get(k, d)) for k, d in (("priority", 0), ("after", 0), ("count", 20)))
        except (TypeError, ValueError) as error:
            raise MethodError(400, "priority, after and count are whole numbers") from error
        if priority not in PRIORITIES:
            raise MethodError(400, "priority is 0, 1 or 2")
        entries = await writer.ask(lambda store: store.inspect(priority, after=after, most=min(count, _MOST_SHOWN)))
        return {"records": [asdict(entry) for entry in entries]}

    async def _command(self, message: Message) -> None:
        verb = str(message.document().get("verb"))[:40]
        handler = {"flush": self._verb_flush, "pause": self._verb_pause, "resume": self._verb_resume}.get(verb)
        if handler is None:
            raise BadMessage("unknown_command", verb)
        await handler(None)

    def _view(self, _query: Mapping[str, str]) -> tuple[str, bytes]:
        return "application/json", orjson.dumps(self._figures)
