"""The seam between `Edge` and what carries its messages: the SDK in the field, a script in tests."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from modules.common.messages import Message

Feature = Literal["twin", "methods", "inputs"]


class TransportDownError(ConnectionError):
    """edgeHub cannot be reached now: wait until connected and try again."""


class ReportRefusedError(Exception):
    """edgeHub does not take what is reported, nor would it the next time: a name or a size that no twin has."""


class EnvironmentMissingError(RuntimeError):
    """The process was not started by IoT Edge or localhub; the text says what is missing and how to get it."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as edgeHub delivered it to an input, not acknowledged yet."""

    input: str
    body: bytes
    acknowledge: Callable[[], bool]
    """Send the PUBACK. False when the connection it came by is gone: it will be delivered again."""
    current: Callable[[], bool]
    """Whether the connection it came by still stands."""
    message_id: str | None = None
    content_type: str | None = None
    content_encoding: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MethodCall:
    """A direct method that waits for its answer."""

    name: str
    payload: object
    respond: Callable[[int, object], Awaitable[None]]


class Listener(Protocol):
    """What a transport tells, always in the event loop that opened it."""

    def delivered(self, delivery: Delivery) -> None:
        """A message came."""

    def connection_changed(self, *, connected: bool) -> None:
        """The connection came or went."""

    def desired_changed(self, patch: Mapping[str, object]) -> None:
        """A patch of desired properties came, `$version` in it."""

    def method_called(self, call: MethodCall) -> None:
        """A direct method was called."""


class Transport(Protocol):
    """A connection to edgeHub that can come and go. Everything that fails for now raises TransportDownError."""

    @property
    def connected(self) -> bool:
        """Whether there is a connection at this moment."""

    @property
    def session_present(self) -> bool:
        """Whether edgeHub still knew this module's subscriptions when it last connected; if not, `subscribe` again."""

    async def connect(self, listener: Listener) -> None:
        """One attempt to connect; EnvironmentMissingError when there is nothing to connect to, ever."""

    async def subscribe(self, *features: Feature) -> None:
        """Ask for these to be delivered. Safe to repeat."""

    async def send(self, output: str, message: Message) -> None:
        """Send and wait until edgeHub has acknowledged, that is, has written it to every matched queue."""

    async def twin(self) -> Mapping[str, Mapping[str, object]]:
        """The whole twin: `desired` and `reported`."""

    async def report(self, patch: Mapping[str, object]) -> None:
        """Merge `patch` into the reported properties; all of it, or ReportRefusedError."""

    async def close(self) -> None:
        """Disconnect for good. Never raises for a connection that is already gone."""
