"""One connection of the hub to the cloud: numbers, acknowledgements, and the pace of a slow wire."""

import asyncio
import itertools
from collections.abc import Callable
from typing import cast

from localhub import link
from localhub.hub.delay import DelayLine
from localhub.hub.pump import LinkDown

ACK_TIMEOUT_S = 20.0  # edgeHub's own for an upstream operation (DeviceConnectivityManager.cs)


class CloudConnection(asyncio.Protocol):
    """One connection to the cloud: numbers, acknowledgements, and the wire's pace."""

    def __init__(self, received: Callable[[link.Down], None], counted: Callable[[int], None]) -> None:
        self._received = received
        self._counted = counted
        self._frames = link.from_cloud()
        self._transport: asyncio.Transport | None = None
        self._numbers = itertools.count(1)
        self._open: dict[int, asyncio.Future[None]] = {}
        self._out: DelayLine[tuple[int, bytes]] = DelayLine(self._leave)
        self._in: DelayLine[link.Down] = DelayLine(self._arrive)
        self._on_the_wire = 0  # the last number that has left
        self.acknowledged = 0  # the last number the cloud has committed
        self._watchdog: asyncio.TimerHandle | None = None
        self._reason = "the cloud closed the connection"
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        try:
            frames = self._frames.feed(data)
            for frame in frames:
                self._in.push(frame, len(data) // len(frames))
        except link.LinkError as error:
            self.cut(str(error))

    def connection_lost(self, error: Exception | None) -> None:
        """Called by asyncio."""
        self.cut(self._reason if error is None else str(error))

    def shape(self, bytes_per_s: float | None, latency_s: float, loss: float) -> None:
        """Set the wire's bandwidth, latency and share of packets lost, each way."""
        self._out.set(bytes_per_s, latency_s, loss)
        self._in.set(bytes_per_s, latency_s, loss)

    def numbered(self, frame: Callable[[int], link.Up]) -> asyncio.Future[None]:
        """Write a frame that is to be acknowledged; the future resolves with the acknowledgement."""
        number = next(self._numbers)
        waiting = self._open[number] = asyncio.get_running_loop().create_future()
        self._write(number, link.encode(frame(number)))
        return waiting

    def write(self, frame: link.Up) -> None:
        """Write a frame that needs no acknowledgement."""
        self._write(0, link.encode(frame))

    def cut(self, reason: str) -> None:
        """End the connection at once; what was not acknowledged fails with LinkDown."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
        self._out.clear()
        self._in.clear()
        self._watch(on=False)
        if not self.ended.done():
            self.ended.set_result(reason)
        unacknowledged, self._open = self._open, {}
        for waiting in unacknowledged.values():
            if not waiting.done():
                waiting.set_exception(LinkDown(reason))

    def _write(self, number: int, data: bytes) -> None:
        self._counted(len(data))
        self._out.push((number, data), len(data))

    def _leave(self, item: tuple[int, bytes]) -> None:
        number, data = item
        if self._transport is None:
            return
        self._transport.write(data)
        if number:
            self._on_the_wire = number
            self._watch(on=True)

    def _arrive(self, frame: link.Down) -> None:
        if not isinstance(frame, link.Ack):
            self._received(frame)
            return
        for number in [number for number in self._open if number <= frame.number]:
            waiting = self._open.pop(number)
            if not waiting.done():
                waiting.set_result(None)
        self.acknowledged = frame.number
        self._watch(on=False)
        self._watch(on=self._on_the_wire > frame.number)

    def _watch(self, *, on: bool) -> None:
        """Have the connection cut when the cloud is silent for too long about what has left."""
        if on and self._watchdog is None:
            silent = f"no acknowledgement in {ACK_TIMEOUT_S:.0f} s"
            self._watchdog = asyncio.get_running_loop().call_later(ACK_TIMEOUT_S, self.cut, silent)
        elif not on and self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None
