"""The broker: all connections, and what joins them to queues, sessions and services."""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Collection, Mapping
from typing import Final, Protocol

from localhub.hub import login
from localhub.hub.backlog import Backlog
from localhub.hub.clock import Clock
from localhub.hub.commits import Commits
from localhub.hub.connection import Connection
from localhub.hub.faults import Faults
from localhub.hub.intake import Intake, Router
from localhub.hub.listener import Listener
from localhub.hub.login import Proof, Refused, Verifier
from localhub.hub.message import UPSTREAM, QueuedMessage
from localhub.hub.metrics import Metrics
from localhub.hub.patient import PatientPump
from localhub.hub.pump import ModulePump, Uplink, UpstreamPump
from localhub.hub.session import Session, Sessions
from localhub.hub.store import Store
from localhub.hub.troubles import Handshakes, OversizeLoops
from localhub.identity import Identity
from localhub.manners import LOCALHUB, Manners
from localhub.wire import bag, topics
from localhub.wire.packets import MAX_PACKET, Connect

log = logging.getLogger(__name__)

PORT: Final = 8883  # fixed in the Python SDK
MAX_CLIENTS: Final = 100
TICK_S: Final = 1.0


class Client(Protocol):
    """A connected client, as services see it."""

    @property
    def identity(self) -> Identity:
        """Who it is."""

    def publish(self, topic: str, payload: bytes, qos: int) -> None:
        """Send it a message that is not kept if it goes away."""

    def subscribed(self, prefix: str) -> bool:
        """Whether it has a filter for topics that begin with `prefix`."""


class Services(Protocol):
    """What answers on `$iothub/...` topics: twins and direct methods."""

    def on_connect(self, client: Client) -> None:
        """A client is connected; its subscriptions of last time are in force."""

    def on_subscribe(self, client: Client, topic_filter: str) -> None:
        """A client has subscribed, and its SUBACK is on the way."""

    def on_publish(self, client: Client, topic: str, payload: bytes) -> None:
        """A client has published to a topic that begins `$iothub/`."""

    def on_disconnect(self, client: Client) -> None:
        """A client is gone."""


class Broker:
    """Everything a hub is made of, apart from services and uplink, which are given; belongs to the loop's thread."""

    def __init__(
        self,
        *,
        gateway: str,
        store: Store,
        verifier: Verifier,
        router: Router,
        services: Services,
        uplink: Uplink,
        metrics: Metrics,
        clock: Clock,
        manners: Manners = LOCALHUB,
    ) -> None:
        self.manners = manners
        self.loop = asyncio.get_running_loop()
        self.gateway = gateway
        self._store = store
        self.clock = clock
        self.services = services
        self.metrics = metrics
        self.verifier = verifier
        recovered = store.recover()
        self._pumps: dict[str, ModulePump] = {}
        self._upstream_up = False
        self.backlog = Backlog(store, recovered, metrics, clock, self._wake)
        self.commits: Commits = self.backlog.commits
        self.sessions = Sessions(recovered.sessions, self.commits)
        self.faults = Faults(self.clients, self.sessions.forget, store, clock)
        self.intake = Intake(router, self.backlog, metrics, clock, forging=manners.forging)
        self._upstream = UpstreamPump(self.backlog, metrics, uplink, self.loop.time, manners.upstream_batch)
        self._endpoints: dict[str, ModulePump | UpstreamPump] = {}
        self._clients: dict[Identity, Connection] = {}
        self._open: set[Connection] = set()
        self._to_flush: list[Connection] = []
        self._loops = OversizeLoops(self.loop.time, manners.oversize_hold)
        self._handshakes = Handshakes(self.loop.time)
        self._listener: Listener | None = None
        self._next_expiry = self.loop.time() + manners.expire_every
        self._next_recheck = self.loop.time() + manners.reauthenticate_every
        metrics.queues = self.backlog.queues
        metrics.clients = lambda: len(self._clients)
        for name in self.backlog.endpoints:
            self._wake(name)

    def client(self, device: str, module: str | None) -> Connection | None:
        """The connection of an identity, if it is there."""
        return self._clients.get(Identity(device, module))

    def fact(self, name: str) -> bytes | None:
        """A small fact that was kept on disk."""
        return self._store.fact(name)

    def keep(self, values: Mapping[str, bytes]) -> Awaitable[None]:
        """Keep facts; resolves when they are on disk, all or none."""
        self.commits.open().facts.update(values)
        return self.commits.durable()

    def authenticate(self, identity: Identity, token: bytes) -> str | None:
        """Why a token is not good for an identity; None when it is."""
        try:
            self.verifier.verify(identity, Proof(token))
        except Refused as refusal:
            return str(refusal)
        return None

    def twin_changed(self, identity: Identity, patch: bytes) -> None:
        """A client has changed its reported properties: an event for routes from /twinChangeNotifications."""
        self.intake.twin_changed(self.gateway, identity, patch)

    def clients(self) -> list[Connection]:
        """All clients that are connected."""
        return list(self._clients.values())

    def inject(self, module: str, name: str, message: QueuedMessage, priority: int) -> asyncio.Future[None]:
        """Put a message into the queue of a module's input; resolves when it is on disk."""
        future: asyncio.Future[None] = self.loop.create_future()

        def done(error: Exception | None) -> None:
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

        self.intake.inject(message, f"{self.gateway}/{module}/{name}", priority, done)
        return future

    @contextlib.asynccontextmanager
    async def serving(self, address: str, context: ssl.SSLContext, port: int = PORT) -> AsyncIterator[None]:
        """Accept clients while the block runs; afterwards everything accepted is on disk. Raises OSError."""
        self.commits.start()
        upstream = asyncio.create_task(self._upstream.run())
        ticking = asyncio.create_task(self._tick())
        for task in (upstream, ticking):
            task.add_done_callback(_explain_end)
        try:
            self._listener = Listener(self.loop, context, lambda: Connection(self), self._handshakes)
            self._listener.open(address, port)
            try:
                yield
            finally:
                self._listener.close()
                for connection in list(self._open):
                    connection.close("the hub is stopping")
                await asyncio.sleep(0)
                for connection in list(self._open):
                    connection.abort()
        finally:
            ticking.cancel()
            upstream.cancel()
            await asyncio.gather(ticking, upstream, return_exceptions=True)
            await self.commits.stop()

    # What connections tell.

    def opened(self, connection: Connection) -> None:
        """A TLS connection is up; it has to say CONNECT within a minute."""
        self._open.add(connection)

    def admit(self, packet: Connect, certificate: bytes | None) -> tuple[Identity, Proof]:
        """The identity of a client that may connect, and its proof; raises Refused."""
        identity, proof = login.identify(packet, self.verifier, certificate)
        self.faults.admit(packet)
        if len(self._clients) >= MAX_CLIENTS and identity not in self._clients:
            raise Refused(login.UNAVAILABLE, f"{MAX_CLIENTS} clients are connected, more are not let in")
        return identity, proof

    def refused(self, packet: Connect, refusal: Refused, peer: str) -> None:
        """A client was refused."""
        self.metrics.refused[packet.client_id, "not_authenticated"] += 1
        log.warning("%s (%s) may not connect: %s", packet.client_id or "a client", peer, refusal)

    def session(self, packet: Connect, identity: Identity) -> tuple[Session, bool]:
        """The session of a client, and whether it was kept from last time."""
        return self.sessions.open(packet.client_id, identity.device, identity.module, clean=packet.clean_session)

    def connected(self, connection: Connection) -> None:
        """A client is let in; an older connection of the same identity has to go."""
        identity = connection.identity
        older = self._clients.get(identity)
        if older is not None:
            log.warning("%s connects while it is connected: two copies of one module fight for ever", connection)
            older.pump = None
            older.close("a second connection of the same identity")
            self.services.on_disconnect(older)
        self._clients[identity] = connection
        self._no_stranger(connection)
        self.metrics.connects[(str(identity),)] += 1
        log.info("%s is connected from %s", connection, connection.peer)
        self._attach(connection)
        self.services.on_connect(connection)

    def closed(self, connection: Connection, error: Exception | None) -> None:
        """A connection is gone."""
        self._open.discard(connection)
        self._no_stranger(connection)
        if connection.session is None:
            if error is not None:
                log.warning("the connection from %s broke before CONNECT: %s", connection.peer, error)
            return
        identity = connection.identity
        self.metrics.disconnects[(str(identity),)] += 1
        if self._clients.get(identity) is not connection:
            return
        del self._clients[identity]
        log.info("%s is gone%s", connection, "" if error is None else f": {error}")
        if connection.pump is not None:
            connection.pump.attach(None, None)
        self.services.on_disconnect(connection)

    def resubscribed(self, connection: Connection, filters: list[str]) -> None:
        """A client has changed its subscriptions, and they are on disk."""
        if self._clients.get(connection.identity) is not connection:
            return
        self._attach(connection)
        for name in filters:
            self.services.on_subscribe(connection, name)

    def writable(self, connection: Connection) -> None:
        """A client's socket takes more again."""
        if connection.pump is not None:
            connection.pump.wake()

    def not_stored(self, connection: Connection, topic: str) -> None:
        """A message could not be written to disk: its sender has to go, for it will send it again."""
        parsed = topics.parse_event(topic)
        output = "" if parsed is None else bag.decode(parsed.bag).system.get("outputName", "")
        self.metrics.unack_total["storage_failure", str(connection), output] += 1
        reason = "its message could not be stored; it will send it again"
        if self.manners.unstored_hold:  # an SDK is back in 10 ms, and finds the same disk
            self.loop.call_later(self.manners.unstored_hold, connection.close, reason)
        else:
            connection.close(reason)

    def rerouted(self, endpoints: Collection[str]) -> None:
        """Other routes are in force, which lead to these endpoints."""
        for name in [] if self.manners.keeps_routeless else self.backlog.endpoints:
            if name not in endpoints and (lost := self.backlog.forget(name)):
                log.error("no route leads to %s any more: %d messages are lost, as in edgeHub", name, lost)

    def recheck(self) -> None:
        """Close the connections whose proof is not good any more, as edgeHub does now and then, or identities changed.

        An SDK renews its token by connecting anew two minutes before the old one expires (edgehub-contract 2.3).
        """
        for connection in self.clients():
            try:
                self.verifier.verify(connection.identity, connection.proof)
            except Refused as refusal:
                log.warning("%s may not stay connected: %s", connection, refusal)
                connection.close("it cannot prove its identity any more")

    def too_large(self, connection: Connection, size: int) -> None:
        """A packet is over the limit: the connection closes, later and later if the client sends it again and again."""
        if connection.session is None:
            connection.close(f"its first packet has {size} bytes")
            return
        hold_s = self._loops.seen(connection.identity, size)
        if not hold_s:
            connection.close(f"it sent a packet of {size} bytes, {MAX_PACKET} is the limit")
        else:
            self.loop.call_later(hold_s, connection.close, "it sends a packet that is too large")

    def flush_soon(self, connection: Connection) -> None:
        """A connection has something to write at the end of this round of the loop."""
        if not self._to_flush:
            self.loop.call_soon(self._flush)
        self._to_flush.append(connection)

    def _flush(self) -> None:
        connections, self._to_flush = self._to_flush, []
        for connection in connections:
            connection.flush()

    def _no_stranger(self, connection: Connection) -> None:
        if self._listener is not None and connection.transport is not None:
            self._listener.admitted(connection.transport)

    # Pumps.

    def _pump(self, device: str, module: str) -> ModulePump:
        name = f"{device}/{module}"
        pump = self._pumps.get(name)
        if pump is None:
            kind = PatientPump if self.manners.patient else ModulePump
            pump = self._pumps[name] = kind(device, module, self.backlog, self.metrics, self.loop.time)
        return pump

    def _attach(self, connection: Connection) -> None:
        identity, session = connection.identity, connection.session
        if identity.module is not None and session is not None:
            connection.pump = self._pump(identity.device, identity.module)
            connection.pump.attach(connection, session.inputs_qos())

    def _wake(self, endpoint: str) -> None:
        """A message is in a queue of this endpoint."""
        pump = self._endpoints.get(endpoint)
        if pump is None:
            if endpoint == UPSTREAM:
                pump = self._upstream
            else:
                device, module, _ = endpoint.split("/", 2)
                pump = self._pump(device, module)
            self._endpoints[endpoint] = pump
            pump.add(self.backlog.endpoints[endpoint])
        pump.wake()

    # Time.

    async def _tick(self) -> None:
        last = self.loop.time()
        while True:
            await asyncio.sleep(TICK_S)
            now = self.loop.time()
            self.metrics.tick(now - last)
            last = now
            for pump in self._pumps.values():
                pump.check()
            for connection in list(self._open):
                if now - connection.last_heard > connection.silence_s:
                    connection.close(f"it was silent for {connection.silence_s:.0f} s")
            if self._listener is not None:
                self._listener.check()
            if now >= self._next_expiry:
                self._next_expiry = now + self.manners.expire_every
                self.backlog.expire()
            if now >= self._next_recheck:
                self._next_recheck = now + self.manners.reauthenticate_every
                self.recheck()


def _explain_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("a part of the hub has failed, restart it: %r", error, exc_info=error)
