"""The cloud's end of the links: commits what a hub sends, then acknowledges it; sends patches and calls down.

All batches that arrive together are one transaction, so a backlog drains at the disk's pace and not at one sync a
batch. What cannot be committed is never acknowledged: the connection is closed and the hub sends it again.
"""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import apsw
import msgspec

from localhub import control, link
from localhub.cloud.arrivals import Arrivals
from localhub.cloud.gateways import Gateways
from localhub.cloud.twins import CloudTwins, DesiredPatch
from localhub.identity import Identity

ANSWER_GRACE_S = 5.0  # over the method's own timeouts, for the way there and back over a slow link

log = logging.getLogger(__name__)


class OfflineError(Exception):
    """The gateway is not connected, or went away before it answered."""


class LinkServer:
    """The connections of all gateways, and what they write to."""

    def __init__(
        self, arrivals: Arrivals, twins: CloudTwins, gateways: Gateways, clock: Callable[[], datetime]
    ) -> None:
        self._arrivals = arrivals
        self._twins = twins
        self._gateways = gateways
        self._clock = clock
        self._hubs: dict[str, HubConnection] = {}
        self._calls: dict[int, tuple[HubConnection, asyncio.Future[link.MethodAnswer]]] = {}
        self._numbers = itertools.count(1)
        self._followers: set[asyncio.Event] = set()
        self._failing = False

    def connected_since(self, gateway: str) -> datetime | None:
        """Since when a gateway is connected; None when it is not."""
        hub = self._hubs.get(gateway)
        return None if hub is None else hub.since

    @asynccontextmanager
    async def serving(self, path: Path) -> AsyncIterator[None]:
        """Accept hubs on a Unix socket while the block runs."""
        listener = control.listen(path)
        server = await asyncio.get_running_loop().create_unix_server(lambda: HubConnection(self), sock=listener)
        try:
            yield
        finally:
            server.close()
            for hub in list(self._hubs.values()):
                self._drop(hub)
            path.unlink(missing_ok=True)  # noqa: ASYNC240  one system call

    def push(self, change: DesiredPatch) -> None:
        """Send a desired patch to the hub; when it is away it gets the whole twin at its next Hello."""
        if hub := self._hub_of(change.identity):
            patch = msgspec.json.encode(change.patch)
            hub.send(link.Desired(change.identity.device, change.identity.module, patch, change.version))

    async def call(
        self, identity: Identity, name: str, payload: bytes, *, response_timeout_s: float, connect_timeout_s: float
    ) -> link.MethodAnswer:
        """Invoke a direct method on a gateway; raises OfflineError, or TimeoutError when the gateway stays silent."""
        hub = self._hub_of(identity)
        if hub is None:
            raise OfflineError(f"the gateway of {identity} is not connected to the cloud")
        number = next(self._numbers)
        answer: asyncio.Future[link.MethodAnswer] = asyncio.get_running_loop().create_future()
        self._calls[number] = hub, answer
        device, module = identity.device, identity.module
        hub.send(link.Call(number, device, module, name, payload, response_timeout_s, connect_timeout_s))
        try:
            async with asyncio.timeout(response_timeout_s + connect_timeout_s + ANSWER_GRACE_S):
                return await answer
        finally:
            del self._calls[number]

    async def follow(
        self, number: int, *, raw: bool = False, devices: Collection[str] = ()
    ) -> AsyncIterator[dict[str, Any]]:
        """Arrivals as they come, without end, as `Arrivals.after` has them."""
        arrived = asyncio.Event()
        self._followers.add(arrived)
        try:
            while True:
                arrived.clear()
                last = self._arrivals.last_number()
                while page := self._arrivals.after(number, 100, raw=raw, devices=devices):
                    for document in page:
                        number = document["number"]
                        yield document
                number = max(number, last)
                if number >= self._arrivals.last_number():
                    await arrived.wait()
        finally:
            self._followers.discard(arrived)

    def connected(self, hub: "HubConnection", hello: link.Hello) -> None:
        """Take a hub that said Hello; a second one replaces the first."""
        if hello.protocol != link.PROTOCOL or self._gateways.get(hello.gateway) is None:
            raise link.LinkError(f"no gateway of that name runs here, or it speaks otherwise: {hello}")
        if before := self._hubs.get(hello.gateway):
            self._drop(before)
        hub.gateway, hub.since = hello.gateway, self._clock()
        self._hubs[hello.gateway] = hub
        log.info("the gateway %s is connected", hello.gateway)
        hub.send(link.Sync(self._twins.all(self._gateways.devices(hello.gateway))))

    def disconnected(self, hub: "HubConnection") -> None:
        """Forget a hub that is gone; calls it has not answered fail."""
        if self._hubs.get(hub.gateway) is hub:
            log.info("the gateway %s is disconnected", hub.gateway)
            self._drop(hub)

    def received(self, hub: "HubConnection", frames: Iterable[link.Up]) -> None:
        """Handle frames in order; acknowledge only after the commit."""
        done = 0
        batches: list[link.Batch] = []
        for frame in frames:
            if self._hubs.get(hub.gateway) is not hub and not isinstance(frame, link.Hello):
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
                _, waiting = self._calls.get(frame.call, (hub, None))
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

    def _hub_of(self, identity: Identity) -> "HubConnection | None":
        home = self._gateways.home(identity.device)
        return None if home is None else self._hubs.get(home.gateway)

    def _drop(self, hub: "HubConnection") -> None:
        del self._hubs[hub.gateway]
        hub.close()
        for called, waiting in self._calls.values():
            if called is hub and not waiting.done():
                waiting.set_exception(OfflineError("the gateway went away before it answered"))


class HubConnection(asyncio.Protocol):
    """One connection: bytes to frames and back. `gateway` and `since` are set by its Hello."""

    gateway = ""
    since: datetime | None = None

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
