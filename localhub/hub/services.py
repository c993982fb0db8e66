"""What the hub does besides routing messages: twins, direct methods, and the cloud's side of both.

The broker calls `on_connect`, `on_subscribe`, `on_publish` and `on_disconnect`; the uplink calls what the cloud asks
for.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol
from urllib.parse import parse_qs

import apsw
import msgspec

from localhub import link
from localhub.hub import https
from localhub.hub.methods import TOPIC as METHODS
from localhub.hub.methods import Client, MethodError, MethodRequest, Methods
from localhub.hub.report import HubReport
from localhub.hub.servicemetrics import EDGE_HUB, UPSTREAM, ServiceMetrics
from localhub.hub.twins import HubTwins
from localhub.hub.uplink import Uplink
from localhub.identity import Identity
from localhub.state import State
from localhub.twin import Document, PatchError, check_patch, parse_patch
from localhub.wire.parser import ProtocolError

GET = "$iothub/twin/GET/"
REPORTED = "$iothub/twin/PATCH/properties/reported/"
DESIRED = "$iothub/twin/PATCH/properties/desired/"
ANSWERS = "$iothub/twin/res/"
RESULT = "$iothub/methods/res/"
VERSION = "0.1.0"
REPORT_DELAY_S = 1.0  # the hub reports changes of its clients together

log = logging.getLogger(__name__)


class Hub(Protocol):
    """What the services need of the hub around them."""

    def client(self, device: str, module: str | None) -> Client | None:
        """The connected client of an identity."""

    def fact(self, name: str) -> bytes | None:
        """A small fact that was kept on disk."""

    def keep(self, values: Mapping[str, bytes]) -> Awaitable[None]:
        """Keep facts; the awaitable resolves when they are on disk."""

    def twin_changed(self, identity: Identity, patch: bytes) -> None:
        """A client has changed its reported properties: an event for routes from /twinChangeNotifications."""

    def authenticate(self, identity: Identity, token: bytes) -> str | None:
        """Why a token is not good for an identity; None when it is."""


class Services:
    """Twins and methods of all clients; `attach` gives it the hub before the first client comes."""

    def __init__(self, state: State, clock: Callable[[], float]) -> None:
        self._state = state
        self.identity = Identity(state.gateway, "$edgeHub")
        self._tasks: set[asyncio.Task[None]] = set()
        self._report_timer: asyncio.TimerHandle | None = None
        self.uplink = Uplink(state, self)
        self.report = HubReport(clock, self._report_soon)
        self.figures = ServiceMetrics(str(self.identity), clock)
        self.uplink.link_changed(lambda: self.figures.link_is(up=self.uplink.is_up))

    def attach(self, hub: Hub, configure: Callable[[Document, int], None] | None = None) -> None:
        """Take the hub, whose facts can be read from now on; `configure` is told of $edgeHub's desired properties."""
        self._hub = hub
        self._configure = configure
        manners = self._state.manners
        self.twins = HubTwins(hub, self.uplink, self._desired_changed, manners.report_every)
        self.methods = Methods(lambda identity: hub.client(identity.device, identity.module), manners)
        self.report.started(VERSION, self.twins.reported(self.identity).get("clients"))

    @asynccontextmanager
    async def serving(self, context: Any) -> AsyncIterator[None]:
        """Connect to the cloud, and serve methods over HTTPS with a TLS context, while the block runs."""
        app = https.application(self.methods, self._hub.authenticate, self._state.gateway, self.figures.methods)
        self._start(self.uplink.run())
        try:
            async with https.serving(app, context, self._state.address, self._state.https_port):
                yield
        finally:
            if self._report_timer is not None:
                self._report_timer.cancel()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def on_connect(self, client: Client) -> None:
        """A client is connected; its subscriptions of last time are in force."""
        self.report.connected(client.identity)
        self.methods.subscribed(client.identity)

    def on_subscribe(self, client: Client, topic_filter: str) -> None:
        """A client has subscribed."""
        if topic_filter.startswith(METHODS):
            self.methods.subscribed(client.identity)

    def on_disconnect(self, client: Client) -> None:
        """A client is gone."""
        self.report.disconnected(client.identity)

    def on_publish(self, client: Client, topic: str, payload: bytes) -> None:
        """A client has published to a topic that begins `$iothub/`; raises ProtocolError when edgeHub would hang up."""
        path, _, query = topic.partition("?")
        request_id = _request_id(query)
        if path in (GET, GET.removesuffix("/")):
            self._start(self._get(client, request_id))
        elif path in (REPORTED, REPORTED.removesuffix("/")):
            self._start(self._patch(client, request_id, payload))
        elif path.startswith(RESULT):
            status = path.removeprefix(RESULT).removesuffix("/")
            if not status.isascii() or not status.lstrip("-").isdigit() or len(status) > 11:
                raise ProtocolError(f"{topic!r} holds no status")
            self.methods.answered(client.identity, request_id, int(status), payload)
        elif path.startswith((GET, REPORTED)):
            raise ProtocolError(f"{topic!r}: a part of a twin cannot be asked for")
        else:
            log.warning("%s published to %r, which nothing listens to", client.identity, topic)

    def synced(self, twins: Sequence[link.TwinState]) -> None:
        """The cloud is connected."""
        self.twins.synced(twins)

    def desired(self, change: link.Desired) -> None:
        """The cloud has changed desired properties."""
        self.twins.desired(change)

    def called(self, call: link.Call) -> None:
        """The cloud invokes a method."""
        self._start(self._call(call))

    async def invoke(self, module: str, request: MethodRequest) -> tuple[int, object]:
        """Invoke a method of the gateway's module, for the control API; raises MethodError."""
        target = Identity(self._state.gateway, module)
        with self.figures.methods.timed(EDGE_HUB, str(target)):
            result = await self.methods.invoke(target, request)
        return result.status, msgspec.json.decode(result.payload or b"null")

    async def report_for(self, module: str, patch: Document) -> None:
        """Report properties for a module that is no MQTT client here, as $edgeAgent; raises PatchError."""
        await self.twins.report(Identity(self._state.gateway, module), check_patch(patch))

    async def _get(self, client: Client, request_id: str) -> None:
        if not (self._state.manners.answers_unsubscribed or client.subscribed(ANSWERS)):
            log.warning(
                "%s asked for its twin without a subscription to the answer: none, as in edgeHub", client.identity
            )
            return
        with self.figures.twin_reads.timed(EDGE_HUB, str(client.identity)):
            twin = await self.twins.get(client.identity)
        client.publish(f"$iothub/twin/res/200/?$rid={request_id}", msgspec.json.encode(twin.versioned()), 0)

    async def _patch(self, client: Client, request_id: str, payload: bytes) -> None:
        try:
            with self.figures.reports.timed(EDGE_HUB, str(client.identity)):
                await self.twins.report(client.identity, parse_patch(payload))
            status = 204
        except PatchError as error:
            log.warning("a reported patch of %s is refused: %s", client.identity, error)
            status = 400
        except apsw.Error as error:
            log.error("a reported patch of %s cannot be kept: %s", client.identity, error)  # noqa: TRY400  the client hears it
            status = 500
        client.publish(f"$iothub/twin/res/{status}/?$rid={request_id}", b"", 0)
        if status == 204:
            self._hub.twin_changed(client.identity, payload)

    async def _call(self, call: link.Call) -> None:
        request = MethodRequest(call.name, call.payload, call.response_timeout_s, call.connect_timeout_s)
        target = Identity(call.device, call.module)
        try:
            with self.figures.methods.timed(UPSTREAM, str(target)):
                result = await self.methods.invoke(target, request.checked())
            answer = link.MethodAnswer(call.call, result.status, result.payload)
        except MethodError as error:
            answer = link.MethodAnswer(call.call, error.status, b"", str(error))
        self.uplink.answer(answer)

    def _desired_changed(self, identity: Identity, patch: Document, version: int) -> None:
        if identity == self.identity and self._configure is not None:
            self._configure(self.twins.known_desired(identity).document, version)
        client = self._hub.client(identity.device, identity.module)
        if client is not None and client.subscribed(DESIRED):
            payload = msgspec.json.encode({**patch, "$version": version})
            client.publish(f"{DESIRED}?$version={version}", payload, 0)

    def _report_soon(self) -> None:
        if self._report_timer is None:
            self._report_timer = asyncio.get_running_loop().call_later(REPORT_DELAY_S, self._report_now)

    def _report_now(self) -> None:
        self._report_timer = None
        self._start(self.twins.report(self.identity, self.report.take()))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a task of twins, methods or the link failed", exc_info=error)


def _request_id(query: str) -> str:
    return parse_qs(query).get("$rid", [""])[0]
