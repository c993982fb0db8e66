"""Pumps: from the queues to the receivers.

A module gets one message at a time across all its inputs, the next after its PUBACK (DeviceMessageHandler.cs). A
message that was sent and not acknowledged stays the module's current one: after a reconnect, or after ACK_TIMEOUT_S,
the same message goes first. Upstream goes in batches of one priority.

Unlike edgeHub, which may wait for a minute, a pump starts at once when its module connects or subscribes.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from localhub.hub.backlog import Backlog
from localhub.hub.message import Entry, QueuedMessage
from localhub.hub.queues import Endpoint, Queue
from localhub.wire import bag, topics

log = logging.getLogger(__name__)

ACK_TIMEOUT_S: Final = 30.0  # MessageAckTimeoutSecs
RETRY_S: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)  # pauses before a message is sent again
MAX_DELIVERY_ID: Final = 8_192  # packet ids above are for $iothub/... topics
UPSTREAM_BATCH_BYTES: Final = 1 << 20
MAX_TOPIC: Final = 65_535


class LinkDown(Exception):
    """The cloud cannot be reached; nothing of the batch is known to have arrived."""


class Receiver(Protocol):
    """A connected module, as a pump sees it."""

    @property
    def congested(self) -> bool:
        """Whether so much is waiting for the socket already that nothing should be added at QoS 0."""

    def deliver(self, topic: bytes, payload: bytes, qos: int, packet_id: int) -> None:
        """Send a message."""


class Meter(Protocol):
    """Where deliveries are counted."""

    def sent(self, message: QueuedMessage, size: int, to: str, queue: Queue, seconds: float) -> None:
        """A receiver has acknowledged a message; `seconds` since it was given to the socket or link."""

    def retried(self, to: str, operation: str) -> None:
        """A message is to be sent once more."""


class Supply(Protocol):
    """Where a pump's messages come from: the Backlog."""

    def take(self, endpoint: Endpoint) -> tuple[Queue, Entry] | None:
        """The next message of an endpoint."""

    def delivered(self, queue: Queue, entry: Entry) -> None:
        """A receiver has acknowledged it."""

    def drop(self, queue: Queue, entry: Entry, reason: str) -> None:
        """It cannot be delivered."""

    def is_expired(self, entry: Entry) -> bool:
        """Whether its time is over."""


class Uplink(Protocol):
    """The way to the cloud."""

    async def send(self, batch: list[QueuedMessage]) -> None:
        """Returns when the cloud has all of it on disk; raises LinkDown."""

    async def up(self) -> None:
        """Returns when the link is up, at once if it is."""


class ModulePump:
    """Delivers to one module; see the module's text for its rules."""

    def __init__(self, device: str, module: str, backlog: Supply, meter: Meter, time: Callable[[], float]) -> None:
        self.name = f"{device}/{module}"
        self._prefix = topics.inputs_prefix(device, module)
        self._endpoints: deque[Endpoint] = deque()
        self._backlog = backlog
        self._meter = meter
        self._time = time
        self._receiver: Receiver | None = None
        self._qos: int | None = None
        self._current: tuple[Queue, Entry] | None = None
        self._packet_ids: list[int] = []  # those under which the current message was sent on this connection
        self._packet_id = 1
        self._sent = 0.0
        self._resend: float | None = None  # when the current message goes again, after a timeout
        self._failures = 0

    def add(self, endpoint: Endpoint) -> None:
        """Another input of this module is in use."""
        self._endpoints.append(endpoint)

    def attach(self, receiver: Receiver | None, qos: int | None) -> None:
        """The module is connected and subscribed to its inputs with a QoS; None for what it is not."""
        if receiver is not self._receiver:
            self._packet_ids.clear()
            self._packet_id = 1
            self._resend = None
            self._failures = 0
        self._receiver, self._qos = receiver, qos
        if not self._packet_ids:
            self._go_on()

    def wake(self) -> None:
        """There may be something to deliver."""
        if self._current is None:
            self._go_on()

    def acknowledged(self, packet_id: int) -> None:
        """The module has sent PUBACK."""
        if self._current is None or packet_id not in self._packet_ids:
            log.debug("%s acknowledged packet id %d, which it was not sent", self.name, packet_id)
            return
        self._done()
        self._go_on()

    def check(self) -> None:
        """Look at the time: called every second or so."""
        now = self._time()
        if self._resend is not None:
            if now >= self._resend:
                self._resend = None
                self._send()
        elif self._packet_ids and now - self._sent >= ACK_TIMEOUT_S:
            pause = RETRY_S[min(self._failures, len(RETRY_S) - 1)]
            self._failures += 1
            self._meter.retried(self.name, "SendMessageToModule")
            self._resend = now + pause
            log.warning(
                "%s has not acknowledged a message within %.0f s; it is sent again in %.0f s",
                self.name,
                ACK_TIMEOUT_S,
                pause,
            )

    def _go_on(self) -> None:
        """Send until a message has to wait for its PUBACK, or nothing is left."""
        while self._receiver is not None and self._qos is not None and not self._receiver.congested:
            if self._current is not None and self._is_over(self._current[1]):
                self._backlog.drop(*self._current, "ttl_expiry")
                self._current = None
            if self._current is None:
                self._current = self._take()
            if self._current is None:
                return
            self._send()
            if self._current is not None:
                return

    def _is_over(self, entry: Entry) -> bool:
        """Whether a message that could not be delivered at once is not worth another try."""
        return self._backlog.is_expired(entry)

    def _take(self) -> tuple[Queue, Entry] | None:
        """The next message; the inputs take turns."""
        for _ in range(len(self._endpoints)):
            endpoint = self._endpoints[0]
            self._endpoints.rotate(-1)
            found = self._backlog.take(endpoint)
            if found is not None:
                return found
        return None

    def _send(self) -> None:
        if self._current is None or self._receiver is None or self._qos is None:
            return
        queue, entry = self._current
        message = entry.message
        ending = message.bag
        if ending is None:
            ending = message.bag = bag.encode(message.properties, message.system)
        topic = f"{self._prefix}{queue.input}/{ending}" if ending else self._prefix + queue.input
        encoded = topic.encode()
        if len(encoded) > MAX_TOPIC:
            log.error(
                "a message of %s for %s was dropped: its properties do not fit a topic", message.source, self.name
            )
            self._backlog.drop(queue, entry, "too_large")
            self._current = None
            return
        if self._packet_ids:  # after a timeout: a late PUBACK must not be taken for the next message's
            self._packet_id = self._packet_id % MAX_DELIVERY_ID + 1
        self._sent = self._time()
        if self._qos == 0:
            self._receiver.deliver(encoded, message.body, 0, 0)
            self._done()
            return
        self._packet_ids.append(self._packet_id)
        self._receiver.deliver(encoded, message.body, 1, self._packet_id)

    def _done(self) -> None:
        if self._current is None:
            return
        queue, entry = self._current
        self._current = None
        if len(self._packet_ids) > 1:
            self._packet_id = self._packet_id % MAX_DELIVERY_ID + 1
        self._packet_ids.clear()
        self._resend = None
        self._failures = 0
        self._meter.sent(entry.message, entry.size, self.name, queue, self._time() - self._sent)
        self._backlog.delivered(queue, entry)


class UpstreamPump:
    """Drains the endpoint of the cloud while the link is up."""

    def __init__(
        self,
        backlog: Backlog,
        meter: Meter,
        uplink: Uplink,
        time: Callable[[], float],
        batch: int,
    ) -> None:
        self._batch = batch
        self._backlog = backlog
        self._meter = meter
        self._uplink = uplink
        self._time = time
        self._event = asyncio.Event()
        self._endpoint: Endpoint | None = None

    def add(self, endpoint: Endpoint) -> None:
        """Messages for the cloud are in use."""
        self._endpoint = endpoint

    def wake(self) -> None:
        """There may be something to deliver."""
        self._event.set()

    async def run(self) -> None:
        """Deliver until cancelled. What was not acknowledged goes back to the head, and waits for the link."""
        while True:
            await self._event.wait()
            self._event.clear()
            while self._endpoint is not None:
                found = self._backlog.take_batch(self._endpoint, self._batch, UPSTREAM_BATCH_BYTES)
                if found is None:
                    break
                await self._deliver(*found)

    async def _deliver(self, queue: Queue, entries: list[Entry]) -> None:
        started = self._time()
        try:
            await self._uplink.send([entry.message for entry in entries])
        except LinkDown:
            self._meter.retried(queue.endpoint, "SendMessageToCloud")
            self._backlog.put_back(queue, entries)
            await self._uplink.up()
            return
        except asyncio.CancelledError:
            self._backlog.put_back(queue, entries)
            raise
        seconds = self._time() - started
        for entry in entries:
            self._meter.sent(entry.message, entry.size, queue.endpoint, queue, seconds)
            self._backlog.delivered(queue, entry)
        await self._backlog.commits.durable()  # a crash repeats one batch at most
