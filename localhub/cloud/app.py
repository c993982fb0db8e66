"""The cloud's control API: counts and arrivals, twins, direct methods."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import msgspec
from starlette.applications import Starlette

from localhub.cloud.arrivals import Arrivals, Counts, Share
from localhub.cloud.deployer import Deployer
from localhub.cloud.gateways import Gateways
from localhub.cloud.server import LinkServer, OfflineError
from localhub.cloud.twins import CloudTwins
from localhub.control import Call, Refused, application, get, patch, post
from localhub.identity import Identity
from localhub.twin import PatchError

PAGE = 100
LONGEST_TIMEOUT_S = 300


class CloudApi:
    """The handlers."""

    def __init__(
        self,
        arrivals: Arrivals,
        twins: CloudTwins,
        gateways: Gateways,
        server: LinkServer,
        deployer: Deployer,
        take_in: Callable[[str], None],
    ) -> None:
        self._arrivals = arrivals
        self._twins = twins
        self._gateways = gateways
        self._server = server
        self._deployer = deployer
        self._take_in = take_in

    def app(self) -> Starlette:
        """The application."""
        return application(
            get("/status", self.status),
            get("/count", self.count),
            get("/arrivals", self.list_arrivals),
            get("/tail", self.tail),
            get("/twin/{identity:path}", self.twin),
            patch("/twin/{identity:path}", self.patch_twin),
            post("/method/{identity:path}", self.method),
            post("/reload", self.reload),
            post("/apply", self.apply),
            post("/gateway", self.gateway),
        )

    async def status(self, call: Call) -> object:
        """Counts of one gateway or of all, and since when it, or the first one, is connected."""
        since = self._server.connected_since(call.query.get("gateway", self._twins.gateway))
        return asdict(await self.count(call)) | {"link": {"connected": since is not None, "since": since}}

    async def count(self, call: Call) -> Counts | Share:
        """Counts alone."""
        devices = self._devices(call)
        return self._arrivals.of(devices) if devices else self._arrivals.counts

    async def list_arrivals(self, call: Call) -> object:
        """A page of arrivals of a `gateway` or of all: `after` a number, at most `limit`, bodies `raw`=1.

        A negative number stands for the last so many.
        """
        after, raw = _number(call, "after", 0), call.query.get("raw") == "1"
        return self._arrivals.after(after, _number(call, "limit", PAGE), raw=raw, devices=self._devices(call))

    async def tail(self, call: Call) -> object:
        """The same without end, as a stream."""
        after, raw = _number(call, "after", 0), call.query.get("raw") == "1"
        return self._server.follow(after, raw=raw, devices=self._devices(call))

    async def twin(self, call: Call) -> object:
        """One twin."""
        return self._answer(self._identity(call))

    async def patch_twin(self, call: Call) -> object:
        """Patch desired properties; a tool's whole twin is taken too, of which only the desired half counts."""
        identity, body = self._identity(call), call.body
        if isinstance(body, dict) and isinstance(body.get("properties"), dict) and "desired" in body["properties"]:
            body = body["properties"]["desired"]
        try:
            self._deployer.patch(identity, body)
        except KeyError:
            raise Refused(404, f"there is no module {identity}") from None
        except PatchError as error:
            raise Refused(400, str(error)) from error
        return self._answer(identity)

    async def apply(self, call: Call) -> object:
        """Deploy a modulesContent to a `device`, as set-modules does; names the modules that this changed."""
        content = call.field("modulesContent")
        if not isinstance(content, dict) or not all(isinstance(section, dict) for section in content.values()):
            raise Refused(400, "modulesContent must be an object of objects, one for each module")
        device = call.body.get("device", self._twins.gateway)
        return {"changed": [str(change.identity) for change in self._deployer.deploy(content, device)]}

    async def gateway(self, call: Call) -> object:
        """A gateway was added, whose state folder is ready."""
        self._take_in(str(call.field("name")))
        return {}

    async def method(self, call: Call) -> object:
        """Invoke {"name", "payload", "timeout_s", "connect_timeout_s"}; gives {"status", "payload"}."""
        identity = self._identity(call)
        body = call.body
        if not isinstance(body, dict) or not isinstance(body.get("name"), str):
            raise Refused(400, 'the body must be {"name": TEXT, "payload": JSON, "timeout_s": NUMBER}')
        payload = msgspec.json.encode(body["payload"]) if body.get("payload") is not None else b""
        try:
            answer = await self._server.call(
                identity,
                body["name"],
                payload,
                response_timeout_s=_timeout(body, "timeout_s", 30),
                connect_timeout_s=_timeout(body, "connect_timeout_s", 0),
            )
        except OfflineError as error:
            raise Refused(404, str(error)) from error
        except TimeoutError:
            raise Refused(504, f"no answer from {identity}") from None
        if answer.error is not None:
            raise Refused(answer.status, answer.error)
        return {"status": answer.status, "payload": _json_or_text(answer.payload)}

    async def reload(self, _call: Call) -> object:
        """Seed twins from the manifest again; names those that changed."""
        return {"changed": [str(change.identity) for change in self._deployer.reload()]}

    def _answer(self, identity: Identity) -> object:
        twin = self._twins.get(identity)
        if twin is None:
            raise Refused(404, f"there is no module {identity}")
        return twin.versioned()

    def _identity(self, call: Call) -> Identity:
        """`camera` is a module of the gateway, `press4/` a device, `gw1/camera` any module."""
        first, slash, second = call.path["identity"].partition("/")
        return Identity(first, second or None) if slash else Identity(self._twins.gateway, first)

    def _devices(self, call: Call) -> list[str]:
        """Whose arrivals are asked for; empty: everybody's."""
        gateway = call.query.get("gateway")
        if gateway is None:
            return []
        if self._gateways.get(gateway) is None:
            raise Refused(404, f"no gateway {gateway} runs here")
        return self._gateways.devices(gateway)


def _number(call: Call, name: str, default: int) -> int:
    try:
        return int(call.query.get(name, default))
    except ValueError:
        raise Refused(400, f"{name} must be a whole number") from None


def _timeout(body: dict[str, Any], name: str, default: float) -> float:
    value = body.get(name, default)
    if not isinstance(value, int | float) or not 0 <= value <= LONGEST_TIMEOUT_S:
        raise Refused(400, f"{name} must be a number of seconds, at most {LONGEST_TIMEOUT_S}")
    return float(value)


def _json_or_text(payload: bytes) -> object:
    if not payload:
        return None
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return payload.decode(errors="replace")
