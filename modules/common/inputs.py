"""The inputs of a module: one message at a time and in order, acknowledged when it has been handled.

What a handler does decides what becomes of its message: returned, acknowledged; BadMessage, counted and acknowledged,
for it would never get better; anything else, tried again, then set aside as a dead letter and acknowledged, so that
one poisonous message never blocks a line.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final
from urllib.parse import quote

import orjson

from modules.common.logs import Limited
from modules.common.messages import BadMessage, Message, from_wire
from modules.common.metrics import Metrics
from modules.common.tasks import end
from modules.common.transport import Delivery

log = logging.getLogger(__name__)

InputHandler = Callable[[Message], Awaitable[None]]

# Together well under edgeHub's 30 s for a PUBACK (MessageAckTimeoutSecs).
_RETRY_AFTER: Final = (0.1, 0.5, 2.0)
_DEAD_KEPT: Final = 1000


class Inputs:
    """Queues of deliveries, one per input, each worked off by one task."""

    def __init__(self, metrics: Metrics, dead_letters: Path) -> None:
        self.handlers: dict[str, InputHandler] = {}
        self._metrics = metrics
        self._dead_letters = dead_letters
        self._queues: dict[str, asyncio.Queue[Delivery | None]] = {}
        self._workers: list[asyncio.Task[None]] = []
        self._stopped = False
        self._limited = Limited(log)

    def deliver(self, delivery: Delivery) -> None:
        """Take a delivery in; called in the order edgeHub delivered."""
        if self._stopped:
            return  # not acknowledged: it comes again when the module does
        queue = self._queues.get(delivery.input)
        if queue is None:
            self._reject(delivery.input, BadMessage("no_such_input"), delivery.message_id)
            delivery.acknowledge()
            return
        queue.put_nowait(delivery)

    def start(self) -> list[asyncio.Task[None]]:
        """Begin to work off the queues; gives the tasks that do, none of which should ever end by an error."""
        for name in self.handlers:
            self._queues[name] = asyncio.Queue()
            self._workers.append(asyncio.create_task(self._work(name), name=f"input {name}"))
        return self._workers

    async def stop(self, seconds: float) -> None:
        """Take nothing more in; handlers at work have `seconds` to finish, then their messages stay unacknowledged."""
        self._stopped = True
        for queue in self._queues.values():
            queue.put_nowait(None)
        if self._workers:
            _, late = await asyncio.wait(self._workers, timeout=seconds)
            await end(late)

    async def _work(self, name: str) -> None:
        queue, handler = self._queues[name], self.handlers[name]
        received, size = self._metrics.received.labels(name), self._metrics.received_bytes.labels(name)
        handling, discarded = self._metrics.handling.labels(name), self._metrics.redelivered.labels(name)
        while (delivery := await queue.get()) is not None:
            if self._stopped:
                continue
            if not delivery.current():
                discarded.inc()  # its connection is gone, so edgeHub sends it again
                continue
            begun = time.perf_counter()
            message = await self._handle(name, handler, delivery)
            handling.observe(time.perf_counter() - begun)
            received.inc()
            size.inc(message.wire_size() if message else len(delivery.body))
            if not delivery.acknowledge():
                discarded.inc()

    async def _handle(self, name: str, handler: InputHandler, delivery: Delivery) -> Message | None:
        message: Message | None = None
        for attempt in range(len(_RETRY_AFTER) + 1):
            try:
                message = from_wire(
                    delivery.body,
                    delivery.properties,
                    message_id=delivery.message_id,
                    content_type=delivery.content_type,
                    content_encoding=delivery.content_encoding,
                )
                await handler(message)
            except BadMessage as error:
                self._reject(name, error, delivery.message_id)
                return message
            except Exception:  # whatever a handler may raise: the line goes on
                self._metrics.retried.labels(name).inc()
                if attempt == len(_RETRY_AFTER):
                    log.exception("input %s: message %s failed again and is set aside", name, delivery.message_id)
                    self._bury(name, delivery)
                    return message
                log.warning(
                    "input %s: message %s failed, trying again", name, delivery.message_id, exc_info=not attempt
                )
                await asyncio.sleep(_RETRY_AFTER[attempt])
            else:
                return message
        return message

    def reject(self, name: str, reason: str, count: int = 1) -> None:
        """Count parts of a message that were left out while the rest was used."""
        self._metrics.rejected.labels(name, reason).inc(count)

    def _reject(self, name: str, error: BadMessage, message_id: str | None) -> None:
        self._metrics.rejected.labels(name, error.reason).inc()
        self._limited.warning((name, error.reason), "input %s: message %s refused: %s", name, message_id, error)

    def _bury(self, name: str, delivery: Delivery) -> None:
        self._metrics.dead.labels(name).inc()
        stem = quote(delivery.message_id or "unnamed", safe="")[:100]
        facts = {
            "input": name,
            "message_id": delivery.message_id,
            "content_type": delivery.content_type,
            "content_encoding": delivery.content_encoding,
            "properties": dict(delivery.properties),
        }
        try:
            self._dead_letters.mkdir(parents=True, exist_ok=True)
            (self._dead_letters / f"{stem}.json").write_bytes(orjson.dumps(facts, option=orjson.OPT_INDENT_2))
            (self._dead_letters / f"{stem}.bin").write_bytes(delivery.body)
            kept = sorted(self._dead_letters.iterdir(), key=lambda path: path.stat().st_mtime_ns)
            for path in kept[: -2 * _DEAD_KEPT]:
                path.unlink()
        except OSError as error:
            log.error("message %s could not be set aside: %s", delivery.message_id, error)  # noqa: TRY400 - no bug here
