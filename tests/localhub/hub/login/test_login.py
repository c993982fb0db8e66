"""Who may connect, and with which code the others are sent away."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from localhub import sas
from localhub.certs import Authority
from localhub.hub.login import IdentityVerifier, Refused, identify, parse_username
from localhub.identity import Credential, Identities, Identity, ModuleKey
from localhub.wire.packets import Connect

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
OTHER = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
HOST = "hub.example"
NOW = 1_700_000_000.0
IDENTITIES = Identities(
    "gw1",
    {"m": ModuleKey("1", KEY), "n": ModuleKey("1", OTHER)},
    {"gw1": Credential(key=KEY), "leaf": Credential(key=OTHER)},
)
VERIFIER = IdentityVerifier(
    IDENTITIES, (HOST, "127.0.0.1"), Authority.create(datetime.now(UTC)).certificate, lambda: NOW
)


def token(identity: Identity, key: str = KEY, host: str = HOST, expiry: float = NOW + 60) -> bytes:
    return sas.make(key, host, identity, int(expiry)).encode()


def packet(
    client_id: str = "gw1/m", username: str | None = f"{HOST}/gw1/m/?api-version=x", **fields: object
) -> Connect:
    password = fields.pop("password", token(Identity("gw1", "m")))
    return Connect(client_id, username=username, password=password, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "identity"),
    [
        ("h/d/?api-version=1", Identity("d")),
        ("h/d/m/?api-version=1&DeviceClientType=a%2Fb", Identity("d", "m")),
        ("h/d/m/?DeviceClientType=x&api-version=", None),
        ("h/d/m/api-version=1", Identity("d", "m")),
        ("h/d/api-version=1", Identity("d")),
        ("h/d/m?api-version=1", Identity("d", "m")),
        ("h/d/m/?x=1", None),
        ("h/d/m", None),
        ("h/?api-version=1", None),
        ("h/d/m/o/?api-version=1", None),
        ("h/d//?api-version=1", None),
        ("", None),
    ],
)
def test_user_names(text: str, identity: Identity | None) -> None:
    if identity is not None:
        assert parse_username(text) == identity
        return
    with pytest.raises(Refused) as caught:
        parse_username(text)
    assert caught.value.code == 3


def test_a_module_with_its_own_token_or_with_its_devices() -> None:
    assert identify(packet(), VERIFIER)[0] == Identity("gw1", "m")
    assert identify(packet(password=token(Identity("gw1"))), VERIFIER)[0] == Identity("gw1", "m")
    assert identify(packet(password=token(Identity("gw1", "m"), host="127.0.0.1")), VERIFIER)[0] == Identity("gw1", "m")
    leaf = packet("leaf", f"{HOST}/leaf/?api-version=x", password=token(Identity("leaf"), OTHER))
    assert identify(leaf, VERIFIER)[0] == Identity("leaf")


@pytest.mark.parametrize(
    ("connect", "code"),
    [
        (packet(level=3), 1),
        (packet(username=None, password=None), 5),
        (packet("gw1/M"), 5),
        (packet("gw1/n"), 5),
        (packet(username="nonsense"), 3),
        (packet(password=None), 5),
        (packet(password=b"\xff"), 5),
        (packet(password=b"guess"), 5),
        (packet(password=token(Identity("gw1", "m"), OTHER)), 5),
        (packet(password=token(Identity("gw1", "n"), OTHER)), 5),
        (packet(password=token(Identity("gw1", "m"), host="elsewhere")), 5),
        (packet(password=token(Identity("gw1", "m"), expiry=NOW - 301)), 5),
    ],
)
def test_these_are_refused(connect: Connect, code: int) -> None:
    with pytest.raises(Refused) as caught:
        identify(connect, VERIFIER)
    assert caught.value.code == code
