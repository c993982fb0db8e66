"""Leaf devices with certificates: the unmodified SDK through the gateway, and whom the hub sends away, and why."""

from __future__ import annotations

import contextlib
import gc
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from azure.iot.device import X509, IoTHubDeviceClient, Message
from azure.iot.device.exceptions import NoConnectionError

from localhub import certs
from localhub.hub import contexts
from localhub.hub.login import IdentityVerifier
from localhub.identity import Auth, Identities, Identity
from localhub.wire import packets, writer
from localhub.wire.packets import Acknowledge, Connack, Connect, Packet
from localhub.wire.parser import Parser

if TYPE_CHECKING:
    from tests.localhub.hub.conftest import Hub, Module

pytestmark = [
    pytest.mark.filterwarnings("ignore:ssl.PROTOCOL_TLSv1_2 is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),  # paho leaves the pair open that wakes its thread
]
Make = Callable[..., "Module"]
Eventually = Callable[..., None]
Pair = tuple[Path, Path]
NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """What paho leaves open is collected here, where it is expected."""
    yield
    gc.collect()


def pair_of(hub: Hub, device: str) -> Pair:
    return hub.state.device_certificate(device), hub.state.device_key(device)


def sdk(hub: Hub, device: str) -> IoTHubDeviceClient:
    certificate, key = pair_of(hub, device)
    return IoTHubDeviceClient.create_from_x509_certificate(
        X509(str(certificate), str(key)),  # type: ignore[no-untyped-call]
        hub.state.hub_name,
        device,
        gateway_hostname=hub.state.address,
        server_verification_cert=hub.state.ca_certificate.read_text(),
        connection_retry_interval=1,
    )


def knock(hub: Hub, device: str, pair: Pair | None, password: bytes | None = None) -> Packet | None:
    """CONNECT as a device with a certificate; the hub's answer. Raises OSError when TLS fails."""
    context = ssl.create_default_context(cafile=str(hub.state.ca_certificate))
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # with 1.3 a client hears of a refusal only when it reads
    if pair is not None:
        context.load_cert_chain(*pair)
    name = f"{hub.state.hub_name}/{device}/?api-version=2021-04-12"
    with (
        socket.create_connection((hub.state.address, 8883), 60) as plain,
        context.wrap_socket(plain, server_hostname=hub.state.address) as secure,
    ):
        secure.sendall(writer.connect(Connect(device, username=name, password=password)))
        parser = Parser()
        while (packet := parser.next()) is None and (data := secure.recv(4096)):
            parser.feed(data)
        if packet == Connack(0):
            topic = f"devices/{device}/messages/events/%24.on=x".encode()
            secure.sendall(writer.publish(topic, b"raw", 1, 7))
            while (packet := parser.next()) is None and (data := secure.recv(4096)):
                parser.feed(data)
        return packet


def written(folder: Path, pair: tuple[bytes, bytes]) -> Pair:
    paths = folder / "given.pem", folder / "given.key"
    for path, content in zip(paths, pair, strict=True):
        path.write_bytes(content)
    return paths


@pytest.mark.parametrize("device", ["press4", "oven2"])
def test_the_sdk_with_a_certificate_and_no_key_sends_through_the_gateway(hub: Hub, module: Make, device: str) -> None:
    hub.routes.table[""] = [("gw1/beta/in", 1, None)]
    beta = module("beta")
    beta.listen()
    client = sdk(hub, device)
    client.connect()
    message = Message(b"from the field")  # type: ignore[no-untyped-call]
    client.send_message(message)
    assert beta.receive() == [b"from the field"]
    assert hub.call(lambda: [str(one.identity) for one in hub.broker.clients() if one.identity.module is None]) == [
        device
    ]
    client.shutdown()


def test_the_sdk_comes_back_after_a_restart_of_the_hub(hub: Hub, eventually: Eventually) -> None:
    hub.routes.table[""] = [("gw1/beta/in", 1, None)]
    client = sdk(hub, "press4")
    client.connect()
    hub.stop()
    hub.start()
    eventually(lambda: bool(client.connected))
    client.send_message("after")
    assert hub.depth("gw1/beta/in") == 1
    client.shutdown()


def test_a_raw_client_with_its_certificate_is_let_in(hub: Hub) -> None:
    for device in ("press4", "oven2"):
        assert knock(hub, device, pair_of(hub, device)) == Acknowledge(packets.PUBACK, 7)


@pytest.mark.parametrize(
    ("device", "given", "why"),
    [
        ("press4", "none", "neither a password nor a certificate"),
        ("oven2", "none", "neither a password nor a certificate"),
        ("press4", "another's", "is for press5, not for press4"),
        ("oven2", "another's", "is not the one that oven2 is declared with"),
        ("press4", "of oven2", "is for oven2, not for press4"),
        ("press4", "expired", "its certificate expired at "),
        ("press4", "to come", "its certificate is not valid before "),
        ("leaf1", "its own", "leaf1 is declared for a key"),
        ("gw1/alpha", "its own", "a module proves itself by a token"),
        ("ghost", "its own", "ghost is not an identity of this gateway"),
        ("press4", "a token", "press4 is declared for x509_ca"),
    ],
)
def test_a_proof_that_does_not_do_is_answered_with_code_5_and_a_line_says_why(
    hub: Hub, tmp_path: Path, caplog: pytest.LogCaptureFixture, device: str, given: str, why: str
) -> None:
    password = None
    match given:
        case "none" | "a token":
            pair = None
        case "another's":
            pair = written(tmp_path, hub.authority.leaf("press5", NOW))
        case "of oven2":
            pair = pair_of(hub, "oven2")
        case "expired":
            pair = written(tmp_path, hub.authority.leaf(device, NOW - timedelta(days=10), days=9))
        case "to come":
            pair = written(tmp_path, hub.authority.leaf(device, NOW + timedelta(days=3)))
        case _:
            pair = written(tmp_path, hub.authority.leaf(device, NOW))
    if given == "a token":
        password = hub.password(Identity("leaf1")).replace("leaf1", device).encode()
    assert knock(hub, device, pair, password) == Connack(5)
    assert any(why in record.getMessage() for record in caplog.records), caplog.text
    assert hub.broker.metrics.refused == {(device, "not_authenticated"): 1}


@pytest.mark.parametrize(
    ("issuer", "why"),
    [("another CA", "self-signed certificate in c"), ("itself", "self-signed certificate)")],
)
def test_a_certificate_from_nobody_known_fails_in_the_handshake_and_a_line_says_why(
    hub: Hub, tmp_path: Path, caplog: pytest.LogCaptureFixture, issuer: str, why: str, eventually: Eventually
) -> None:
    made = (
        certs.Authority.create(NOW).leaf("press4", NOW) if issuer == "another CA" else certs.self_signed("press4", NOW)
    )
    with pytest.raises(OSError, match=r"EOF|reset|alert"):
        knock(hub, "press4", written(tmp_path, made))
    eventually(lambda: "handshake" in caplog.text)
    (line,) = [record.getMessage() for record in caplog.records if "handshake" in record.getMessage()]
    assert f"comes from nobody known here ({why}" in line


def test_a_certificate_made_for_a_server_is_none_for_a_client(hub: Hub) -> None:
    with pytest.raises(OSError, match=r"EOF|reset|alert"):
        knock(hub, "press4", (hub.state.server_certificate, hub.state.server_key))


def test_a_device_that_signed_for_itself_cannot_speak_for_one_that_the_ca_vouches_for(
    hub: Hub, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """TLS knows oven2's certificate: one that says it is press4's must not pass for that."""
    forged = written(tmp_path, certs.self_signed("press4", NOW))
    hub.state.device_certificate("oven2").write_bytes(forged[0].read_bytes())
    hub.stop()
    hub.start()
    assert knock(hub, "press4", forged) == Connack(5)
    assert "was not signed by this gateway's CA" in caplog.text
    assert knock(hub, "oven2", forged) == Connack(5)


def test_a_password_counts_before_a_certificate(hub: Hub) -> None:
    password = hub.password(Identity("leaf1")).encode()
    assert knock(hub, "leaf1", pair_of(hub, "press4"), password) == Acknowledge(packets.PUBACK, 7)
    assert knock(hub, "press4", pair_of(hub, "press4"), b"wrong") == Connack(5)


def test_an_expired_certificate_is_one_by_the_hubs_clock(hub: Hub) -> None:
    hub.clock.offset_s = timedelta(days=certs.SERVER_DAYS + 1).total_seconds()
    assert knock(hub, "press4", pair_of(hub, "press4")) == Connack(5)


def test_who_is_no_identity_any_more_or_another_one_is_disconnected(hub: Hub, module: Make) -> None:
    device, alpha, beta = sdk(hub, "oven2"), module("alpha"), module("beta")
    device.connect()
    verifier = hub.broker.verifier
    assert isinstance(verifier, IdentityVerifier)
    known = verifier.identities
    modules = {name: key for name, key in known.modules.items() if name != "beta"}
    devices = {**known.devices, "oven2": replace(known.devices["oven2"], thumbprint="00")}
    verifier.identities = Identities(known.gateway, modules, devices)
    hub.call(hub.broker.recheck)
    assert beta.gone.wait(60)
    assert [str(one.identity) for one in hub.call(hub.broker.clients)] == ["gw1/alpha"]
    assert not alpha.gone.is_set()
    with contextlib.suppress(NoConnectionError):  # it was thrown out, and may just be between two tries
        device.shutdown()


def test_certificates_are_kept_and_renewed_before_they_expire(hub: Hub) -> None:
    for device, auth in (("press4", Auth.X509_CA), ("oven2", Auth.X509_THUMBPRINT)):
        path = hub.state.device_certificate(device)
        before = path.read_bytes()
        kept = certs.ensure_leaf(hub.state, hub.authority, device, auth)
        assert path.read_bytes() == before
        assert kept == hub.identities.devices[device]
        again = certs.ensure_leaf(hub.state, hub.authority, device, auth, NOW + timedelta(days=certs.SERVER_DAYS - 6))
        assert path.read_bytes() != before
        assert (again == kept) is (auth is Auth.X509_CA)  # the thumbprint is another one
        assert hub.state.device_key(device).stat().st_mode & 0o077 == 0


def test_a_device_may_change_its_way(hub: Hub, tmp_path: Path) -> None:
    path = tmp_path / "identities.json"
    keyed = Identities.ensure(path, "gw1", [], ["d"])
    certified = certs.ensure_leaf(hub.state, hub.authority, "d", Auth.X509_CA)
    assert Identities.ensure(path, "gw1", [], [], {"d": certified}).devices["d"] == certified
    assert Identities.load(path).connection_string(Identity("d"), "hub.net", "127.0.0.9") == (
        "HostName=hub.net;DeviceId=d;x509=true;GatewayHostName=127.0.0.9"
    )
    again = Identities.ensure(path, "gw1", [], ["d"])
    assert again.devices["d"].auth is Auth.SAS
    assert again.devices["gw1"] == keyed.devices["gw1"]


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("TLSV1_ALERT_UNKNOWN_CA", "does not trust this hub's CA"),
        ("HTTP_REQUEST", "plain HTTP"),
        ("TLSV1_ALERT_PROTOCOL_VERSION", "no TLS version"),
        ("SOMETHING_NEW", "SOMETHING_NEW"),
        (None, "no reason given"),
    ],
)
def test_reasons_are_put_in_words(reason: str | None, words: str) -> None:
    error = ssl.SSLError(1, "x")
    error.reason = reason  # type: ignore[assignment]
    assert words in contexts.explain(error)
