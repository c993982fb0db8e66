"""What leaves a module: sent and waited for, or offered to a bounded outbox."""

import asyncio
from typing import Final

from modules.common.connection import Connection
from modules.common.ledger import Ledger
from modules.common.messages import MAX_PACKET, BadMessage, Message
from modules.common.metrics import Metrics
from modules.common.outbox import Outbox
from modules.common.transport import TransportDownError


class Sender:
    """Sends over `connection`, counting what goes and what must be dropped."""

    def __init__(self, connection: Connection, metrics: Metrics, ledger: Ledger) -> None:
        self.outbox: Final[Outbox[tuple[str, Message]]] = Outbox()
        self._connection = connection
        self._metrics = metrics
        self._ledger = ledger
        self._offered = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        metrics.waiting.set_function(lambda: len(self.outbox))

    async def send(self, output: str, message: Message) -> None:
        """Send and wait for edgeHub's PUBACK, however long it takes. Raises BadMessage('oversize')."""
        _check_size(output, message)
        self._ledger.note(output, message)
        await self._send(output, message)

    def offer(self, output: str, message: Message) -> None:
        """Queue for sending; drops by rule. Raises BadMessage('oversize')."""
        _check_size(output, message)
        self._ledger.note(output, message)
        for where, dropped in self.outbox.put(message.kind, (output, message), message.wire_size()):
            self._metrics.dropped.labels(where, dropped.kind).inc()
        self._idle.clear()
        self._offered.set()

    async def empty_outbox(self) -> None:
        """Send what is offered, for ever."""
        while True:
            item = self.outbox.take()
            if item is None:
                self._offered.clear()
                self._idle.set()
                await self._offered.wait()
            else:
                await self._send(*item)

    async def drain(self) -> None:
        """Wait until nothing is left to send."""
        await self._idle.wait()

    async def _send(self, output: str, message: Message) -> None:
        while True:
            await self._connection.up.wait()
            try:
                await self._connection.transport.send(output, message)
            except TransportDownError:
                # `up` follows a moment after; without a pause this would spin until it does.
                await asyncio.sleep(0.05)
            else:
                break
        self._metrics.sent.labels(output).inc()
        self._metrics.sent_bytes.labels(output).inc(message.wire_size())


def _check_size(output: str, message: Message) -> None:
    """A packet that is too large makes edgeHub close the connection, and paho would send it again for ever."""
    size = message.packet_size(output)
    if size > MAX_PACKET:
        raise BadMessage("oversize", f"{size} bytes as a packet, edgeHub takes {MAX_PACKET}")
