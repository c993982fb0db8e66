"""The cloud's end of the link: commits what the hub sends, then acknowledges it; sends patches and calls down.

All batches that arrive together are one transaction, so a backlog drains at the disk's pace and not at one sync a
batch. What cannot be committed is never acknowledged: the connection is closed and the hub sends it again.
"""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import apsw
import msgspec

from localhub import control, link
from localhub.cloud.arrivals import Arrivals
from localhub.cloud.twins import CloudTwins, DesiredPatch
from localhub.identity import Identity

ANSWER_GRACE_S = 5.0  # over the method's own timeouts, for the way there and back over a slow link

log = logging.getLogger(__name__)


class OfflineError(Exception):
    """The gateway is not connected, or went away before it answered."""


class LinkServer:
    """One gateway's connection, and what it writes to."""

    def __init__(self, arrivals: Arrivals, twins: CloudTwins, clock: Callable[[], datetime]) -> None:
        self._arrivals = arrivals
        self._twins = twins
        self._clock = clock
        self._hub: HubConnection | None = None
        self._calls: dict[int, asyncio.Future[link.MethodAnswer]] = {}
        self._numbers = itertools.count(1)
        self._followers: set[asyncio.Event] = set()
        self._failing = False
        self.connected_since: datetime | None = None

    @asynccontextmanager
    async def serving(self, path: Path) -> AsyncIterator[None]:
        """Accept the hub on a Unix socket while the block runs."""
        listener = control.listen(path)
        server = await asyncio.get_running_loop().create_unix_server(lambda: HubConnection(self), sock=listener)
        try:
            yield
        finally:
            server.close()
            self._drop()
            path.unlink(missing_ok=True)  # noqa: ASYNC240  one system call

    def push(self, change: DesiredPatch) -> None:
        """Send a desired patch to the hub; when it is away it gets the whole twin at its next Hello."""
        if self._hub is not None:
            patch = msgspec.json.encode(change.patch)
            self._hub.send(link.Desired(change.identity.device, change.identity.module, patch, change.version))

    async def call(
        self, identity: Identity, name: str, payload: bytes, *, response_timeout_s: float, connect_timeout_s: float
    ) -> link.MethodAnswer:
        """Invoke a direct method on the gateway; raises OfflineError, or TimeoutError when the gateway stays silent."""
        if self._hub is None:
            raise OfflineError("the gateway is not connected to the cloud")
        number = next(self._numbers)
        answer = self._calls[number] = asyncio.get_running_loop().create_future()
        device, module = identity.device, identity.module
        self._hub.send(link.Call(number, device, module, name, payload, response_timeout_s, connect_timeout_s))
        try:
            return await asyncio.wait_for(answer, response_timeout_s + connect_timeout_s + ANSWER_GRACE_S)
        finally:
            del self._calls[number]

    async def follow(self, number: int, *, raw: bool = False) -> AsyncIterator[dict[str, Any]]:
        """Arrivals behind a number as they come, without end."""
        arrived = asyncio.Event()
        self._followers.add(arrived)
        try:
            while True:
                arrived.clear()
                for document in self._arrivals.after(number, 100, raw=raw):
                    number = document["number"]
                    yield document
                if number >= self._arrivals.last_number():
                    await arrived.wait()
        finally:
            self._followers.discard(arrived)

    def connected(self, hub: "HubConnection", hello: link.Hello) -> None:
        """Take a hub that said Hello; a second one replaces the first."""
        if hello.protocol != link.PROTOCOL or hello.gateway != self._twins.gateway:
            raise link.LinkError(f"this is no hub of {self._twins.gateway}: {hello}")
        self._drop()
        self._hub = hub
        self.connected_since = self._clock()
        log.info("the gateway %s is connected", hello.gateway)
        hub.send(link.Sync(self._twins.all()))

    def disconnected(self, hub: "HubConnection") -> None:
        """Forget a hub that is gone; calls it has not answered fail."""
        if hub is self._hub:
            log.info("the gateway %s is disconnected", self._twins.gateway)
            self._drop()

    def received(self, hub: "HubConnection", frames: Iterable[link.Up]) -> None:
        """Handle frames in order; acknowledge only after the commit."""
        done = 0
        batches: list[link.Batch] = []
        for frame in frames:
            if hub is not self._hub and not isinstance(frame, link.Hello):
                raise link.LinkError("a hub says Hello first")
            if isinstance(frame, link.Batch):
                batches.append(frame)
                continue
            done = self._commit(batches) or done
            done = self._one(hub, frame) or done
        done = self._commit(batches) or done
        if done:
            hub.send(link.Ack(done))

    def failed(self, error: apsw.Error) -> None:
        """Say once that nothing can be committed; the hub tries again about once a second."""
        if not self._failing:
            log.error("the cloud cannot write, nothing is acknowledged until it can: %s", error)
        self._failing = True

    def _one(self, hub: "HubConnection", frame: link.Up) -> int:
        match frame:
            case link.Hello():
                self.connected(hub, frame)
            case link.Reported():
                patch = cast("dict[str, Any]", msgspec.json.decode(frame.patch))
                self._twins.patch_reported(Identity(frame.device, frame.module), patch, frame.version)
                return frame.number
            case link.MethodAnswer():
                waiting = self._calls.get(frame.call)
                if waiting is not None and not waiting.done():
                    waiting.set_result(frame)
        return 0

    def _commit(self, batches: list[link.Batch]) -> int:
        """Commit batches and empty the list; the number of the last, 0 when there was none."""
        if not batches:
            return 0
        self._arrivals.append([message for batch in batches for message in batch.messages], self._clock())
        if self._failing:
            log.warning("the cloud can write again")
            self._failing = False
        for follower in self._followers:
            follower.set()
        last = batches[-1].number
        batches.clear()
        return last

    def _drop(self) -> None:
        hub, self._hub = self._hub, None
        self.connected_since = None
        if hub is not None:
            hub.close()
        for waiting in self._calls.values():
            if not waiting.done():
                waiting.set_exception(OfflineError("the gateway went away before it answered"))


class HubConnection(asyncio.Protocol):
    """One connection: bytes to frames and back."""

    def __init__(self, server: LinkServer) -> None:
        self._server = server
        self._frames = link.from_hub()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        if self._transport is None or self._transport.is_closing():
            return  # replaced by a newer connection, which sends what was not acknowledged again
        try:
            self._server.received(self, self._frames.feed(data))
        except apsw.Error as error:
            self._server.failed(error)
            self.close()
        except (link.LinkError, msgspec.DecodeError) as error:
            log.warning("the connection from the hub is closed: %s", error)
            self.close()

    def connection_lost(self, _error: Exception | None) -> None:
        """Called by asyncio."""
        self._transport = None
        self._server.disconnected(self)

    def send(self, frame: link.Down) -> None:
        """Write a frame; nothing when the connection is gone."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(link.encode(frame))

    def close(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()
