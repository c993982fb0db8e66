"""Who is connecting: the checks of a CONNECT packet (edgehub-contract 2.2, 2.5)."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol
from urllib.parse import parse_qs

from cryptography import x509

from localhub import certs, sas
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


@dataclass(frozen=True, slots=True)
class Proof:
    """What a client came with: the password of CONNECT, the certificate (DER) of its TLS connection."""

    password: bytes | None = None
    certificate: bytes | None = None


class Verifier(Protocol):
    """Checks proofs."""

    def verify(self, identity: Identity, proof: Proof) -> None:
        """Returns when a proof is one of the identity, and good at this moment; raises Refused."""


class IdentityVerifier:
    """Checks shared access signatures and certificates against the identities of this gateway."""

    def __init__(
        self,
        identities: Identities,
        hub_names: Collection[str],
        authority: x509.Certificate,
        clock: Callable[[], float],
        reread: Callable[[], Identities] | None = None,
    ) -> None:
        self.identities = identities
        self._reread = reread
        self._hub_names = hub_names
        self._authority = authority
        self._clock = clock

    def verify(self, identity: Identity, proof: Proof) -> None:
        """A password counts before a certificate (DeviceIdentityProvider.cs); raises Refused.

        Of an identity that is not known the cloud is asked once more, as edgeHub does of one it has not cached: it may
        have come with a new deployment.
        """
        if self._reread is not None and self.identities.find(identity) is None:
            self.identities = self._reread()
        if proof.password:
            self._token(identity, proof.password)
        elif proof.certificate is not None:
            self._certificate(identity, proof.certificate)
        else:
            raise Refused(NOT_AUTHORIZED, "neither a password nor a certificate was given")

    def _token(self, identity: Identity, password: bytes) -> None:
        """A token is good for the identity it names; a device's token is good for the device's modules too."""
        try:
            token = password.decode()
            proven = sas.verify(token, self.identities, self._clock(), self._hub_names)
        except UnicodeDecodeError as error:
            raise Refused(NOT_AUTHORIZED, "the password is not text") from error
        except sas.SasError as error:
            raise Refused(NOT_AUTHORIZED, error.reason) from error
        if not proven.covers(identity):
            raise Refused(NOT_AUTHORIZED, f"the token is one of {proven}")

    def _certificate(self, identity: Identity, certificate: bytes) -> None:
        """A certificate is good for the one leaf device that is declared for it; modules have tokens."""
        if identity.module is not None:
            raise Refused(NOT_AUTHORIZED, "a module proves itself by a token, not by a certificate")
        found = self.identities.find(identity)
        if found is None:
            raise Refused(NOT_AUTHORIZED, f"{identity} is not an identity of this gateway")
        known, credential = found
        try:
            now = datetime.fromtimestamp(self._clock(), UTC)
            certs.verify_leaf(certificate, known.device, credential, self._authority, now)
        except certs.LeafRefused as error:
            raise Refused(NOT_AUTHORIZED, str(error)) from error


def identify(packet: Connect, verifier: Verifier, certificate: bytes | None = None) -> tuple[Identity, Proof]:
    """The identity that a CONNECT proves, and by what: client id, user name and proof agree. Raises Refused.

    `certificate` is what the client showed in the TLS handshake, DER.
    """
    if packet.level != PROTOCOL_LEVEL:
        raise Refused(BAD_PROTOCOL, f"it speaks level {packet.level} of MQTT, only 4 (3.1.1) is understood")
    if packet.username is None:
        raise Refused(NOT_AUTHORIZED, "it gave no user name")
    identity = parse_username(packet.username)
    if packet.client_id != str(identity):
        raise Refused(NOT_AUTHORIZED, f"its client id {packet.client_id!r} is not {str(identity)!r} of its user name")
    proof = Proof(packet.password, certificate)
    verifier.verify(identity, proof)
    return identity, proof


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
