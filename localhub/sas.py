"""Shared access signatures: made by the workload API, checked at every connect (edgehub-contract 1.3, 2.5)."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Collection, Mapping
from urllib.parse import quote, unquote

from localhub.identity import Auth, Identities, Identity

PREFIX = "SharedAccessSignature "
SKEW_S = 300  # edgeHub lets a token pass this long after its expiry (SharedAccessSignatureConstants.cs)


class SasError(Exception):
    """A token was refused; `reason` says why, without quoting the token."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def sign(key: str, data: bytes) -> str:
    """HMAC-SHA256 of data with a base64 key, as base64: the digest of the workload API's sign call."""
    return base64.b64encode(hmac.new(base64.b64decode(key), data, hashlib.sha256).digest()).decode()


def make(key: str, hub_name: str, identity: Identity, expiry: int) -> str:
    """A token for an identity, in the form azure-iot-device builds it; expiry in epoch seconds."""
    module = "" if identity.module is None else f"/modules/{identity.module}"
    resource = quote(f"{hub_name}/devices/{identity.device}{module}", safe="")
    signature = quote(sign(key, f"{resource}\n{expiry}".encode()), safe="")
    return f"{PREFIX}sr={resource}&sig={signature}&se={expiry}"


def verify(token: str, identities: Identities, now: float, hub_names: Collection[str]) -> Identity:
    """The identity a token speaks for; `now` in epoch seconds, hub_names the hosts its audience may name.

    A token scoped to a device is good for its modules too: ask `covers` with the client's identity. The signature is
    computed over the audience as received, still percent-encoded. Raises SasError.
    """
    parts = fields(token)
    claimed = _identity(unquote(parts["sr"]), hub_names)
    found = identities.find(claimed)
    if found is None:
        raise SasError(f"{claimed} is not an identity of this gateway")
    identity, credential = found
    if credential.auth is not Auth.SAS:
        raise SasError(f"{identity} is declared for {credential.auth}: it proves itself by a certificate, not a token")
    check_signature(parts, credential.key, str(identity))
    check_expiry(parts, now, str(identity))
    return identity


def check_signature(parts: Mapping[str, str], key: str, owner: str = "the policy") -> None:
    """Whether a token was signed with a key (base64); raises SasError."""
    expected = sign(key, f"{parts['sr']}\n{parts['se']}".encode())
    if not hmac.compare_digest(_decoded(expected), _decoded(unquote(parts["sig"]))):
        raise SasError(f"the signature does not match the key of {owner}")


def check_expiry(parts: Mapping[str, str], now: float, owner: str = "the policy") -> None:
    """Whether a token is good at `now` (epoch seconds); raises SasError."""
    expiry = _expiry(parts["se"])
    if now > expiry + SKEW_S:
        raise SasError(f"the token of {owner} expired {now - expiry:.0f} s ago (allowed: {SKEW_S} s)")


def fields(token: str) -> dict[str, str]:
    """The parts of a token, each but the signature as received; raises SasError."""
    if not token.startswith(PREFIX):
        raise SasError("the password is not a shared access signature")
    found: dict[str, str] = {}
    for pair in token.removeprefix(PREFIX).split("&"):
        name, _, value = pair.partition("=")
        if name in found:
            raise SasError(f"the token holds {name} twice")
        found[name] = value
    missing = [name for name in ("sr", "sig", "se") if not found.get(name)]
    if missing:
        raise SasError(f"the token lacks {', '.join(missing)}")
    _expiry(found["se"])
    return found


def _expiry(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 12):  # 12 digits last for 30,000 years
        raise SasError("the token's expiry is not a time in seconds")
    return int(text)


def _identity(audience: str, hub_names: Collection[str]) -> Identity:
    match audience.split("/"):
        case [host, "devices", device] if device:
            identity = Identity(device)
        case [host, "devices", device, "modules", module] if device and module:
            identity = Identity(device, module)
        case _:
            raise SasError("the token's audience is not HOST/devices/D or HOST/devices/D/modules/M")
    if host.casefold() not in {name.casefold() for name in hub_names}:
        raise SasError(f"the token is for host {host!r}, not for {' or '.join(hub_names)}")
    return identity


def _decoded(signature: str) -> bytes:
    try:
        return base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        raise SasError("the token's signature is not base64") from None
