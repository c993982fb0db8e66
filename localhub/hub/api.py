"""The hub's control socket: what it does, and what may be done to it (JSON over HTTP)."""

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from localhub import control
from localhub.hub.broker import Broker
from localhub.hub.faultapi import FaultApi
from localhub.hub.intake import Watch
from localhub.hub.message import QueuedMessage
from localhub.hub.methods import MethodError, MethodRequest
from localhub.hub.routing import RoutesRefused, routing_message
from localhub.hub.services import Services
from localhub.hub.uplink import LinkSetting
from localhub.identity import Identity
from localhub.routes import DEFAULT_PRIORITY, Condition, RouteError
from localhub.twin import PatchError
from localhub.wire import bag


@dataclass(frozen=True, slots=True)
class HubApi:
    """Handlers of the control socket; `reload` reads identities and routes again."""

    broker: Broker
    services: Services
    reload: Callable[[], None]

    def app(self) -> Starlette:
        """The app to serve."""
        faults = FaultApi(self.broker.faults, self.broker.gateway)
        return control.application(
            control.get("/status", self.status),
            control.post("/link", self.link),
            control.post("/method", self.method),
            control.post("/inject", self.inject),
            control.post("/reload", self.reread),
            control.get("/watch", self.watch),
            control.get("/twin/{module}", self.twin),
            control.get("/desired/{module}", self.desired),
            control.post("/reported", self.reported),
            control.get("/fault", faults.status),
            control.post("/fault", faults.command),
        )

    async def status(self, _call: control.Call) -> object:
        """Clients, queues, counters, link, faults on command and rates."""
        broker, metrics = self.broker, self.broker.metrics
        started = broker.clock() - broker.loop.time()
        return {
            "clients": [
                {"id": client.client_id, "connected_since": _moment(started + client.since)}
                for client in broker.clients()
            ],
            "queues": [
                {
                    "endpoint": queue.endpoint,
                    "priority": queue.priority,
                    "depth": queue.depth,
                    "bytes": queue.bytes,
                    "oldest_s": broker.backlog.oldest(queue),
                }
                for queue in broker.backlog.queues()
            ],
            "counters": {
                "received": sum(metrics.received_total.values()),
                "sent": sum(metrics.sent_total.values()),
                "dropped": metrics.drops(),
                "unack": sum(metrics.unack_total.values()),
            },
            "link": self.services.uplink.status(),
            "faults": broker.faults.status(),
            "rates": {
                client.rpartition("/")[2]: {
                    "in_per_s": rate.in_per_s,
                    "out_per_s": rate.out_per_s,
                    "bytes_in": metrics.traffic[client].bytes_in,
                    "bytes_out": metrics.traffic[client].bytes_out,
                }
                for client, rate in metrics.rates.items()
            },
        }

    async def link(self, call: control.Call) -> object:
        """Cut, slow or restore the link to the cloud."""
        try:
            setting = LinkSetting.parse(call.body or {})
        except ValueError as error:
            raise control.Refused(400, str(error)) from error
        self.services.uplink.set(setting)
        return self.services.uplink.status()

    async def method(self, call: control.Call) -> object:
        """Invoke a direct method of a module: {module, name, payload, timeout_s}."""
        body: dict[str, Any] = call.body or {}
        document = {"methodName": call.field("name"), "payload": body.get("payload")}
        if "timeout_s" in body:
            document["responseTimeoutInSeconds"] = body["timeout_s"]
        try:
            status, payload = await self.services.invoke(str(call.field("module")), MethodRequest.parse(document))
        except MethodError as error:
            raise control.Refused(error.status, str(error)) from error
        return {"status": status, "payload": payload}

    async def inject(self, call: control.Call) -> object:
        """Put a message into a module's input: {module, input, body_b64, properties}; durable when answered."""
        try:
            payload = base64.b64decode(call.field("body_b64"), validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise control.Refused(400, "body_b64 is not base64") from error
        given = (call.body or {}).get("properties") or {}
        properties, system = bag.separate({str(key): str(value) for key, value in given.items()})
        system["connectionDeviceId"] = self.broker.gateway
        message = QueuedMessage(0, payload, properties, system, self.broker.clock(), self.broker.gateway)
        module, name = str(call.field("module")), str(call.field("input"))
        await self.broker.inject(module, name, message, DEFAULT_PRIORITY)
        return {"queued": len(payload)}

    async def reread(self, _call: control.Call) -> object:
        """Read identities and routes again."""
        try:
            self.reload()
        except RoutesRefused as error:
            raise control.Refused(400, str(error)) from error
        return {"reloaded": True}

    async def twin(self, call: control.Call) -> object:
        """A module's twin as the hub has it, which is what the module is told, also while the link is down."""
        return (await self.services.twins.get(Identity(self.broker.gateway, call.path["module"]))).versioned()

    async def desired(self, call: control.Call) -> object:
        """A module's desired properties and their version, as a stream: at once and after every change."""
        return self.services.twins.follow(Identity(self.broker.gateway, call.path["module"]))

    async def reported(self, call: control.Call) -> object:
        """Report properties for a module that is no MQTT client: {module, patch}; on disk when answered."""
        module = str(call.field("module"))
        try:
            await self.services.report_for(module, call.field("patch"))
        except PatchError as error:
            raise control.Refused(400, str(error)) from error
        return {"reported": module}

    async def watch(self, call: control.Call) -> object:
        """What comes in, as it comes: ?pattern=MODULE/OUTPUT or $upstream, &where=a condition as routes have it.

        With &hello the first document is {"watching": pattern}: what comes after it was sent is seen.
        """
        where = call.query.get("where")
        try:
            condition = None if where is None else Condition.compile(where)
        except RouteError as error:
            raise control.Refused(400, str(error)) from error
        return self._watched(call.query.get("pattern", "*"), condition, hello="hello" in call.query)

    async def _watched(self, pattern: str, condition: Condition | None, *, hello: bool) -> AsyncIterator[object]:
        news = asyncio.Event()
        wanted = None if condition is None else lambda message: condition.evaluate(routing_message(message))
        watch = Watch(pattern, news.set, wanted)
        self.broker.intake.watchers.append(watch)
        try:
            if hello:
                yield {"watching": pattern}
            while True:
                await news.wait()
                news.clear()
                while (message := watch.take()) is not None:
                    yield _document(message)
                if watch.missed:
                    missed, watch.missed = watch.missed, 0
                    yield {"missed": missed}
        finally:
            self.broker.intake.watchers.remove(watch)


def metrics_app(exposition: Callable[[], bytes]) -> Starlette:
    """GET /metrics, as Prometheus text."""

    async def metrics(_request: Request) -> Response:
        return Response(exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return Starlette(routes=[Route("/metrics", metrics)])


def _document(message: QueuedMessage) -> dict[str, object]:
    try:
        text = message.body.decode()
    except UnicodeDecodeError:
        text = f"<{len(message.body)} bytes>"
    return {
        "time": _moment(message.enqueued),
        "source": message.source,
        "output": message.output,
        "properties": message.properties,
        "system": message.system,
        "body": text,
        "body_b64": base64.b64encode(message.body).decode(),
    }


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
