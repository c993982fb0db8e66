"""Who is connecting: the checks of a CONNECT packet (edgehub-contract 2.2, 2.5)."""

from collections.abc import Callable, Collection
from typing import Final, Protocol
from urllib.parse import parse_qs

from localhub import sas
from localhub.identity import Identities, Identity
from localhub.wire.packets import Connect

ACCEPTED: Final = 0
BAD_PROTOCOL: Final = 1  # the SDK falls back to MQTT 3.1 once, then gives up
BAD_CLIENT_ID: Final = 2
UNAVAILABLE: Final = 3  # the SDK goes on trying
NOT_AUTHORIZED: Final = 5  # the SDK stops reconnecting

PROTOCOL_LEVEL: Final = 4  # MQTT 3.1.1


class Refused(Exception):
    """A client may not connect; `code` goes into CONNACK, the text says why."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Verifier(Protocol):
    """Checks a password."""

    def verify(self, identity: Identity, password: bytes | None) -> None:
        """Returns when the password proves the identity; raises Refused."""


class SasVerifier:
    """Checks shared access signatures against the keys of this gateway."""

    def __init__(self, identities: Identities, hub_names: Collection[str], clock: Callable[[], float]) -> None:
        self.identities = identities
        self._hub_names = hub_names
        self._clock = clock

    def verify(self, identity: Identity, password: bytes | None) -> None:
        """A token is good for the identity it names; a device's token is good for the device's modules too."""
        if password is None:
            raise Refused(NOT_AUTHORIZED, "neither a password nor a certificate was given")
        try:
            token = password.decode()
            proven = sas.verify(token, self.identities, self._clock(), self._hub_names)
        except UnicodeDecodeError as error:
            raise Refused(NOT_AUTHORIZED, "the password is not text") from error
        except sas.SasError as error:
            raise Refused(NOT_AUTHORIZED, error.reason) from error
        if not proven.covers(identity):
            raise Refused(NOT_AUTHORIZED, f"the token is one of {proven}")


def identify(packet: Connect, verifier: Verifier) -> Identity:
    """The identity that a CONNECT proves: client id, user name and password agree. Raises Refused."""
    if packet.level != PROTOCOL_LEVEL:
        raise Refused(BAD_PROTOCOL, f"it speaks level {packet.level} of MQTT, only 4 (3.1.1) is understood")
    if packet.username is None:
        raise Refused(NOT_AUTHORIZED, "it gave no user name")
    identity = parse_username(packet.username)
    if packet.client_id != str(identity):
        raise Refused(NOT_AUTHORIZED, f"its client id {packet.client_id!r} is not {str(identity)!r} of its user name")
    verifier.verify(identity, packet.password)
    return identity


def parse_username(username: str) -> Identity:
    """Read `host/D[/M]/?properties`, the question mark optional; the host is not compared (MqttUsernameParser.cs).

    Raises Refused with UNAVAILABLE: edgeHub answers an exception while identifying so, and the SDK then tries again.
    """
    path, mark, properties = username.partition("?")
    if not mark:
        path, _, properties = username.rpartition("/")
    match path.removesuffix("/").split("/"):
        case [_, device] if device:
            identity = Identity(device)
        case [_, device, module] if device and module:
            identity = Identity(device, module)
        case _:
            raise Refused(UNAVAILABLE, f"its user name {username!r} is not HOST/DEVICE[/MODULE]/?api-version=...")
    if "api-version" not in parse_qs(properties):
        raise Refused(UNAVAILABLE, f"its user name {username!r} names no api-version")
    return identity
