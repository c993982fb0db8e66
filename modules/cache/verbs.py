"""What an operator can ask of a running cache; the same for direct methods, commands and the command line."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from functools import partial

from modules.cache.arguments import BadArgumentsError, Erasing, Nothing, Page, Replaying, StopReplaying, parse
from modules.cache.drain import Drain
from modules.cache.envelope import unwrap
from modules.cache.figures import erasure_document
from modules.cache.record import PRIORITIES, Stored
from modules.cache.replay import Order
from modules.cache.store import Erase, Erasure, Store, StoreError
from modules.cache.store.erase import DONE
from modules.cache.store.house import House
from modules.cache.workload import WorkloadRefusedError, WorkloadUnreachableError
from modules.cache.writer import StoreReplacedError, Writer
from modules.common.messages import new_id
from modules.common.methods import MethodError

log = logging.getLogger(__name__)

_ERASE_WAITS_S = 8.0  # a direct method is given up after 10 s; what is not done by then goes on
_EXPORT_BYTES = 64 * 1024  # of bodies in one answer: with base64 it stays under the 128 KB of a direct method's

Open = Callable[[], tuple[Writer, Drain]]


class Verbs:
    """`open_parts` gives writer and drain, or raises MethodError while there are none; `stats` makes the figures."""

    def __init__(self, house: House, open_parts: Open, stats: Callable[[], Awaitable[dict[str, object]]]) -> None:
        self._house = house
        self._open_parts = open_parts
        self._stats = stats
        self._errands: set[asyncio.Task[None]] = set()
        self.handlers: dict[str, Callable[[object], Awaitable[object]]] = {
            name: partial(self.run, name, handler)
            for name, handler in {
                "stats": self._verb_stats,
                "verify": self._verify,
                "inspect": self._inspect,
                "export": self._export,
                "replay": self._replay,
                "flush": self._flush,
                "pause": self._pause,
                "resume": self._resume,
                "erase": self._erase,
                "rotate": self._rotate,
            }.items()
        }

    async def run(self, name: str, handler: Callable[[object], Awaitable[object]], payload: object) -> object:
        """Carry out a verb. Raises MethodError with what is wrong."""
        try:
            return await handler(payload)
        except BadArgumentsError as error:
            raise MethodError(400, str(error)) from error
        except (StoreError, StoreReplacedError, WorkloadUnreachableError, WorkloadRefusedError) as error:
            raise MethodError(503, f"{name}: {error}") from error

    def close(self) -> None:
        """Leave what is at work to the next start."""
        for errand in self._errands:
            errand.cancel()

    async def _verb_stats(self, payload: object) -> object:
        parse("stats", Nothing, payload)
        return await self._stats()

    async def _flush(self, payload: object) -> object:
        """Send all that is stored now, whatever the bandwidth and the hours."""
        parse("flush", Nothing, payload)
        self._open_parts()[1].flush()
        return await self._stats()

    async def _pause(self, payload: object) -> object:
        parse("pause", Nothing, payload)
        self._open_parts()[1].pause()
        return {"paused": True}

    async def _resume(self, payload: object) -> object:
        parse("resume", Nothing, payload)
        self._open_parts()[1].resume()
        return {"paused": False}

    async def _verify(self, payload: object) -> object:
        """Authenticate every stored record, some at a time, while the cache goes on."""
        parse("verify", Nothing, payload)
        writer, _ = self._open_parts()
        seen = damaged = 0
        for priority in PRIORITIES:
            after, n, bad = await writer.ask(partial(Store.verify, priority=priority, after=0))
            while n:
                seen, damaged = seen + n, damaged + bad
                after, n, bad = await writer.ask(partial(Store.verify, priority=priority, after=after))
        return {"records": seen, "damaged": damaged}

    async def _inspect(self, payload: object) -> object:
        """The oldest records, without their bodies."""
        page = parse("inspect", Page, payload)
        writer, _ = self._open_parts()
        entries = await writer.ask(lambda store: store.inspect(page.priority, after=page.after, most=page.count))
        return {"records": [asdict(entry) for entry in entries]}

    async def _export(self, payload: object) -> object:
        """Records with their bodies, a page at a time; `next` is the `after` of the next page, 0 at the end."""
        page = parse("export", Page, payload)
        writer, _ = self._open_parts()
        found = await writer.ask(lambda store: store.read(page.priority, page.after, most=page.count))
        records: list[dict[str, object]] = []
        size = 0
        for record in found:
            size += record.size
            if records and size > _EXPORT_BYTES:
                break
            records.append(exported(record))
        return {"records": records, "next": records[-1]["seq"] if records else 0}

    async def _replay(self, payload: object) -> object:
        """Send what is kept for audit again."""
        _, drain = self._open_parts()
        if isinstance(payload, Mapping) and "stop" in payload:
            parse("replay", StopReplaying, payload)
            await drain.replay.stop()
            return drain.replay.facts() or {}
        asked = parse("replay", Replaying, payload)
        if drain.replay.order is not None:
            raise MethodError(409, 'replay: one is at work; see `stats`, or stop it with {"stop": true}')
        wanted = asked.range()
        await drain.begin_replay(Order(new_id(), wanted.source, wanted.since, wanted.until))
        return drain.replay.facts() or {}

    async def _erase(self, payload: object) -> object:
        """Have records gone for good; the order is durable before anything else is done."""
        asked = parse("erase", Erasing, payload)
        writer, drain = self._open_parts()
        order = await writer.do(Erase(range=asked.range(), who=asked.who, why=asked.why))
        assert isinstance(order, Erasure)
        log.warning("%s asked to erase %s: erasure %d", order.who, order.source, order.number)
        await drain.let_go()
        work = asyncio.create_task(self._erase_on(order.number), name=f"erasure {order.number}")
        self._errands.add(work)
        work.add_done_callback(self._errands.discard)
        await asyncio.wait([work], timeout=_ERASE_WAITS_S)
        known = await writer.ask(Store.erasures)
        answer = next(erasure_document(each) for each in known if each.number == order.number)
        return answer | {"set_aside": [item.folder.name for item in self._house.set_aside()]}

    async def _erase_on(self, number: int) -> None:
        """The store does this by itself when it is idle; here it does not wait for that."""
        writer, drain = self._open_parts()
        try:
            while any(each.number == number and each.done != DONE for each in await writer.ask(Store.erasures)):
                await writer.ask(Store.upkeep)
            await drain.let_go()
        except (StoreError, StoreReplacedError) as error:
            log.warning("erasure %d waits: %s", number, error)

    async def _rotate(self, payload: object) -> object:
        """Seal with a new data key from now on."""
        parse("rotate", Nothing, payload)
        writer, _ = self._open_parts()
        try:
            changed = await asyncio.to_thread(self._house.keys.rotate)
        except ValueError as error:
            raise MethodError(409, f"rotate: {error}") from error
        await writer.ask(lambda store: store.rekey(changed.keys, changed.copy))
        log.info("data key %d seals from now on", max(changed.keys))
        return {"key": max(changed.keys), "keys": sorted(changed.keys)}


def exported(record: Stored) -> dict[str, object]:
    """A record as `export` shows it."""
    message = unwrap(record.message_id, record.kind, record.source, record.source_seq, record.payload)
    return {
        "seq": record.seq,
        "message_id": message.message_id,
        "priority": record.priority,
        "content_type": message.content_type,
        "content_encoding": message.content_encoding,
        "properties": message.facts(),
        "body": base64.b64encode(message.body).decode(),
    }
