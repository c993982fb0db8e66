"""Direct methods: invoked on a module over its MQTT connection, with edgeHub's time limits and answers.

edgeHub waits three seconds after a module has subscribed before it sends the calls that waited for it, a precaution of
its own; here they are sent at once, unless it is to be strict.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from localhub.identity import Identity
from localhub.manners import LOCALHUB, Manners

TOPIC = "$iothub/methods/POST/"
PAYLOAD_LIMIT = 128 * 1024  # bytes (MethodRequestValidator.cs, as are the next four)
NAME_LIMIT = 100
RESPONSE_TIMEOUT_S = (5, 300)
CONNECT_TIMEOUT_S = (0, 300)
DEFAULT_RESPONSE_TIMEOUT_S = 30

log = logging.getLogger(__name__)


class Client(Protocol):
    """A connected MQTT client."""

    @property
    def identity(self) -> Identity:
        """Whom it authenticated as."""

    def publish(self, topic: str, payload: bytes, qos: int) -> None:
        """Send it a message."""

    def subscribed(self, filter_prefix: str) -> bool:
        """Whether it has a subscription that begins so."""


class MethodError(Exception):
    """No module answered; `status` is the HTTP status edgeHub gives."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class MethodRequest:
    """One call. Payload is JSON, or empty for none."""

    name: str
    payload: bytes = b""
    response_timeout_s: float = DEFAULT_RESPONSE_TIMEOUT_S
    connect_timeout_s: float = 0

    @classmethod
    def parse(cls, document: object) -> "MethodRequest":
        """From the body of edgeHub's and IoT Hub's REST call; raises MethodError(400).

        Numbers may come as text: az iot hub invoke-module-method sends "30".
        """
        if not isinstance(document, Mapping):
            raise MethodError(400, "the body must be a JSON object")
        name = document.get("methodName")
        if not isinstance(name, str) or not name.strip():
            raise MethodError(400, "methodName must be a text")
        payload = document.get("payload")
        return cls(
            name,
            b"" if payload is None else msgspec.json.encode(payload),
            _seconds(document, "responseTimeoutInSeconds", DEFAULT_RESPONSE_TIMEOUT_S),
            _seconds(document, "connectTimeoutInSeconds", 0),
        ).checked()

    def checked(self) -> "MethodRequest":
        """The request itself when it keeps edgeHub's limits; raises MethodError(400)."""
        if not 1 <= len(self.name) <= NAME_LIMIT:
            raise MethodError(400, f"the method's name must have 1 to {NAME_LIMIT} characters")
        if len(self.payload) > PAYLOAD_LIMIT:
            raise MethodError(400, f"the payload has {len(self.payload)} bytes, more than {PAYLOAD_LIMIT}")
        for what, seconds, (least, most) in (
            ("responseTimeoutInSeconds", self.response_timeout_s, RESPONSE_TIMEOUT_S),
            ("connectTimeoutInSeconds", self.connect_timeout_s, CONNECT_TIMEOUT_S),
        ):
            if not least <= seconds <= most:
                raise MethodError(400, f"{what} must be from {least} to {most}")
        return self


@dataclass(frozen=True, slots=True)
class MethodResult:
    """What the module answered: its own status, and JSON or nothing."""

    status: int
    payload: bytes


class Methods:
    """Calls on their way. `find` gives the connected client of an identity."""

    def __init__(self, find: Callable[[Identity], Client | None], manners: Manners = LOCALHUB) -> None:
        self._find = find
        self._manners = manners
        self._calls: dict[str, tuple[Identity, asyncio.Future[MethodResult]]] = {}
        self._waiting: dict[Identity, set[asyncio.Future[None]]] = {}

    async def invoke(self, identity: Identity, request: MethodRequest) -> MethodResult:
        """Invoke a method of a module or device.

        Raises MethodError: 404 when it has not subscribed to methods within the connect timeout, 504 when it has not
        answered within the response timeout.
        """
        client = self._ready(identity) or await self._connected(identity, request.connect_timeout_s)
        number = str(uuid.uuid4())
        answer: asyncio.Future[MethodResult] = asyncio.get_running_loop().create_future()
        self._calls[number] = (identity, answer)
        try:
            payload = request.payload or (b"null" if self._manners.fills_payload else b"")
            client.publish(f"{TOPIC}{request.name}/?$rid={number}", payload, 0)
            async with asyncio.timeout(request.response_timeout_s):
                return await answer
        except TimeoutError:
            waited = f"{identity} did not answer {request.name} within {request.response_timeout_s:g} s"
            raise MethodError(504, waited) from None
        finally:
            del self._calls[number]

    def answered(self, identity: Identity, request_id: str, status: int, payload: bytes) -> None:
        """A client's answer; one that nobody waits for, or that another client was asked, is only logged."""
        asked, answer = self._calls.get(request_id.lower(), (None, None))
        if answer is None or answer.done() or asked != identity:
            log.warning("%s answered a method call that nobody waits for (any more): %s", identity, request_id)
            return
        answer.set_result(MethodResult(status, payload))

    def subscribed(self, identity: Identity) -> None:
        """A client connected or subscribed: calls that waited for it go out if it takes methods now."""
        if identity in self._waiting and self._ready(identity) is not None:
            for waiting in self._waiting.pop(identity):
                if not waiting.done():
                    waiting.set_result(None)

    def _ready(self, identity: Identity) -> Client | None:
        client = self._find(identity)
        return client if client is not None and client.subscribed(TOPIC) else None

    async def _connected(self, identity: Identity, timeout_s: float) -> Client:
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiters = self._waiting.setdefault(identity, set())
        waiters.add(waiting)
        try:
            async with asyncio.timeout(timeout_s):
                await waiting
            await asyncio.sleep(self._manners.settle)
        except TimeoutError:
            pass  # told below, like a client that came and went
        finally:
            waiters.discard(waiting)
            if not waiters and self._waiting.get(identity) is waiters:
                del self._waiting[identity]
        client = self._ready(identity)
        if client is None:
            raise MethodError(404, f"{identity} is not connected, or takes no methods")
        return client


def _seconds(document: Mapping[str, Any], name: str, default: float) -> float:
    value = document.get(name)
    if value is None:
        return default
    try:
        return float(value)
    except (TypeError, ValueError):
        raise MethodError(400, f"{name} must be a number of seconds") from None
