"""OPC UA: a subscription to nodes of one server (asyncua)."""

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from asyncua import Client, ua
from asyncua.common.node import Node
from asyncua.common.subscription import DataChangeEvent, Subscription
from asyncua.crypto import security_policies, uacrypto
from cryptography import x509
from pydantic import Field, field_validator, model_validator

from modules.sensors.point import Point
from modules.sensors.sources.base import Feed, SourceError, SourceSettings, credentials

# It logs a traceback of its publish loop for every server that goes; what is wrong is told in health, once.
logging.getLogger("asyncua").setLevel(logging.CRITICAL + 1)

log = logging.getLogger(__name__)

Policy = Literal["Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"]

_POLICIES: Final[dict[Policy, type[security_policies.SecurityPolicy]]] = {
    "Basic256Sha256": security_policies.SecurityPolicyBasic256Sha256,
    "Aes128Sha256RsaOaep": security_policies.SecurityPolicyAes128Sha256RsaOaep,
    "Aes256Sha256RsaPss": security_policies.SecurityPolicyAes256Sha256RsaPss,
}
_AT_ONCE: Final = 200  # nodes of one request: small controllers refuse more
_MOST_WAITING: Final = 20_000  # more than one answer of a server can bring (10,000)
_TURN: Final = 500
_CLOSE_S: Final = 1.0


class OpcUaPoint(Point):
    """A node's value."""

    address: str = Field(title="Node", description="ns=2;s=Press.Oil or nsu=urn:press;s=Oil, whatever its number is")

    @field_validator("address")
    @classmethod
    def _node(cls, address: str) -> str:
        if not address.startswith("nsu="):
            try:
                ua.NodeId.from_string(address)
            except ua.UaStringParsingError as error:
                raise ValueError(f"no node id: {address}") from error
        elif ";" not in address:
            raise ValueError("nsu=URI;s=... has two parts")
        return address


class OpcUa(SourceSettings):
    """A server."""

    point: ClassVar[type[Point]] = OpcUaPoint
    answers: ClassVar[bool] = True

    type: Literal["opcua"]
    points: tuple[OpcUaPoint, ...] = Field((), title="Nodes", max_length=500)
    url: str = Field(title="Address", description="without user and password", pattern=r"^opc\.tcp://[^@\s]+$")
    timeout_s: float = Field(4.0, ge=0.2, le=60, title="Time for an answer", description="seconds")
    silence_s: Annotated[float, Field(title="Silence that is reported", ge=0, le=86_400)] = 0.0
    check_s: float = Field(1.0, ge=0.1, le=60, title="Look after the server every", description="seconds")
    credentials_file: Path | None = Field(None, title="Credentials", description="a mounted file, user:password")
    policy: Policy | None = Field(None, title="Security policy", description="none: neither signed nor encrypted")
    mode: Literal["sign", "encrypt"] = Field("encrypt", title="Security mode")
    cert_file: Path | None = Field(None, title="Certificate", description="of this client, DER or PEM")
    key_file: Path | None = Field(None, title="Key", description="of the certificate")
    server_cert_file: Path | None = Field(None, title="The server's certificate", description="the only one trusted")

    @model_validator(mode="after")
    def _secured(self) -> Self:
        files = (self.cert_file, self.key_file, self.server_cert_file)
        if (self.policy is not None) != all(files) or (self.policy is None and any(files)):
            raise ValueError("a policy and cert_file, key_file, server_cert_file go together")
        return self

    def make(self, points: tuple[Point, ...]) -> "OpcUaSource":
        """The source that subscribes to `points`."""
        return OpcUaSource(self, [point for point in points if isinstance(point, OpcUaPoint)])


class OpcUaSource:
    """Subscribes at one server."""

    def __init__(self, settings: OpcUa, points: list[OpcUaPoint]) -> None:
        self._settings = settings
        self._points = points

    async def run(self, feed: Feed) -> None:
        """Connect, subscribe and hand over what changes. Raises SourceError."""
        settings = self._settings
        if not self._points:
            raise SourceError("no nodes are set")
        client = Client(settings.url, timeout=settings.timeout_s, watchdog_intervall=settings.check_s)
        lost: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

        async def on_lost(error: Exception) -> None:
            if not lost.done():
                lost.set_result(error)

        client.connection_lost_callback = on_lost
        try:
            await self._prepare(client)
            await client.connect()
            nodes = await self._nodes(client)
            await self._follow(client, nodes, feed, lost)
        except (OSError, TimeoutError, ua.UaError) as error:
            raise SourceError(f"{settings.url}: {_said(error)}") from error
        finally:
            await _close(client)

    async def _prepare(self, client: Client) -> None:
        settings = self._settings
        pair = await asyncio.to_thread(credentials, settings.credentials_file)
        if pair is not None:
            client.set_user(pair[0])
            client.set_password(pair[1])
        files = [
            each for each in (settings.cert_file, settings.key_file, settings.server_cert_file) if each is not None
        ]
        if settings.policy is None:
            return
        mode = ua.MessageSecurityMode
        try:
            client.application_uri = await asyncio.to_thread(_uri_of, files[0]) or client.application_uri
            certificate, key, server = await asyncio.to_thread(lambda: [_file(each) for each in files])
            await client.set_security(
                _POLICIES[settings.policy],
                certificate,
                key,
                server_certificate=server,
                mode=mode.Sign if settings.mode == "sign" else mode.SignAndEncrypt,
            )
        except ValueError as error:
            raise SourceError(f"a certificate cannot be used: {error}") from error

    async def _nodes(self, client: Client) -> list[Node]:
        """The points' nodes; a namespace said by its URI gets the number it has in this server now."""
        numbers: dict[str, int] = {}
        nodes = []
        for point in self._points:
            address = point.address
            if address.startswith("nsu="):
                uri, _, rest = address.removeprefix("nsu=").partition(";")
                if uri not in numbers:
                    try:
                        numbers[uri] = await client.get_namespace_index(uri)
                    except ValueError as error:
                        raise SourceError(f"{self._settings.url} has no namespace {uri}") from error
                address = f"ns={numbers[uri]};{rest}"
            nodes.append(client.get_node(address))
        return nodes

    async def _follow(self, client: Client, nodes: list[Node], feed: Feed, lost: "asyncio.Future[Exception]") -> None:
        settings = self._settings
        intervals = [settings.interval_s if p.interval_s is None else p.interval_s for p in self._points]
        subscription = await client.create_subscription(min(intervals) * 1000, queue_maxsize=_MOST_WAITING)
        known = {node.nodeid: point for node, point in zip(nodes, self._points, strict=True)}
        for interval in sorted(set(intervals)):
            chosen = [node for node, each in zip(nodes, intervals, strict=True) if each == interval]
            for start in range(0, len(chosen), _AT_ONCE):
                part = chosen[start : start + _AT_ONCE]
                await self._subscribe(subscription, part, interval, known, feed)
        feed.connected()
        tasks = [
            asyncio.create_task(_changes(subscription, known, feed)),
            asyncio.create_task(_questions(client, nodes, known, feed)),
        ]
        try:
            waiting: list[asyncio.Future[Any]] = [*tasks, lost]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if lost.done():
                raise SourceError(f"{settings.url}: the connection was lost: {_said(lost.result())}")
            for task in tasks:
                if task.done():
                    task.result()
            raise SourceError(f"{settings.url}: the subscription ended")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _subscribe(
        self,
        subscription: Subscription,
        nodes: list[Node],
        interval: float,
        known: "dict[ua.NodeId, OpcUaPoint]",
        feed: Feed,
    ) -> None:
        answers = await subscription.subscribe_data_change(nodes, queuesize=1, sampling_interval=interval * 1000)
        for node, answer in zip(nodes, answers if isinstance(answers, list) else [answers], strict=True):
            if isinstance(answer, ua.StatusCode) and not answer.is_good():
                point = known[node.nodeid]
                feed.refuse("refused")
                feed.trouble(point.name, f"{point.name}: the server says {answer.name}")


async def _changes(subscription: Subscription, known: "dict[ua.NodeId, OpcUaPoint]", feed: Feed) -> None:
    """Hand over what the subscription brings."""
    count = 0
    async for event in subscription:
        if isinstance(event, DataChangeEvent) and event.data.monitored_item.Value is not None:
            _take(known[event.node.nodeid], event.data.monitored_item.Value, feed)
        count += 1
        if count % _TURN == 0:
            await asyncio.sleep(0)  # in a flood the others have their turn


async def _questions(client: Client, nodes: list[Node], known: "dict[ua.NodeId, OpcUaPoint]", feed: Feed) -> None:
    """Read everything when somebody asks."""
    while True:
        if await feed.asked(3600):
            for start in range(0, len(nodes), _AT_ONCE):
                part = nodes[start : start + _AT_ONCE]
                values = await client.uaclient.read_attributes([node.nodeid for node in part], ua.AttributeIds.Value)
                for node, value in zip(part, values, strict=True):
                    _take(known[node.nodeid], value, feed)
            feed.answered()


def _take(point: OpcUaPoint, value: ua.DataValue, feed: Feed) -> None:
    if value.StatusCode is not None and not value.StatusCode.is_good():
        feed.refuse("bad_quality")
        return
    taken = value.SourceTimestamp
    feed.take(point, None if value.Value is None else value.Value.Value, None if taken is None else _unix(taken))


def _file(path: Path) -> uacrypto.CertProperties:
    """A certificate or key, PEM or DER by what is in it: asyncua goes by the end of its name. Raises OSError."""
    return uacrypto.CertProperties(path, "pem" if path.read_bytes().startswith(b"-----") else "der")


def _uri_of(certificate: Path) -> str | None:
    """The application's URI in its certificate: a server refuses a client that calls itself otherwise.

    OPC 10000-4, 6.1.3. Raises OSError, ValueError for what is no certificate.
    """
    content = certificate.read_bytes()
    load = x509.load_pem_x509_certificate if content.startswith(b"-----") else x509.load_der_x509_certificate
    try:
        names = load(content).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
    return next(iter(names.get_values_for_type(x509.UniformResourceIdentifier)), None)


def _unix(time: datetime) -> float:
    """Unix seconds; asyncua's times are UTC without saying so."""
    return (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp()


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


async def _close(client: Client) -> None:
    """Leave nothing open; a server that hangs is not waited for."""
    protocol = client.uaclient.protocol  # once it has noticed the loss, the client forgets to close its socket
    try:
        async with asyncio.timeout(_CLOSE_S):
            await client.disconnect()
    except (OSError, TimeoutError, ua.UaError) as error:
        log.debug("closing: %s", error)
    finally:
        if protocol is not None and protocol.transport is not None:
            protocol.transport.abort()
