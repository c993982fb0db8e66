"""The page over TLS, with the certificate that localhub's workload API issues to the module that asks for it."""

import re
import socket
import ssl
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from cryptography import x509

from devices.line import ROOT, free_port
from localhub.testing import Hub, running, write_manifest

ROUTES = {"alerts": 'FROM /messages/* INTO BrokeredEndpoint("/modules/status/inputs/alerts")'}


@dataclass(frozen=True)
class Gateway:
    hub: Hub
    port: int

    @property
    def trusts(self) -> ssl.SSLContext:
        """Whoever trusts the gateway's authority trusts the page."""
        return ssl.create_default_context(cafile=str(self.hub.state.root / "pki" / "ca.pem"))

    def certificate(self) -> x509.Certificate:
        """The one that a new connection is shown; its chain and name are checked."""
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=10) as plain,
            self.trusts.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
        ):
            shown = secure.getpeercert(binary_form=True)
        assert shown is not None
        return x509.load_der_x509_certificate(shown)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder, port = tmp_path_factory.mktemp("gateway"), free_port()
    variables = {
        "PYTHONPATH": ROOT,
        "MILLWATCH_STATE": folder / "status",
        "MILLWATCH_VIEW_PORT": 0,
        "MILLWATCH_STATUS_PORT": port,
        "MILLWATCH_TLS": "true",
        "MILLWATCH_TLS_NAME": "127.0.0.1",
    }
    command = ["env", *(f"{name}={value}" for name, value in variables.items())]
    command += [sys.executable, "-m", "tests.system.eager_status"]
    with running(write_manifest(folder, {"status": command}, ROUTES), wait_for=["status"]) as hub:
        found = Gateway(hub, port)
        hub.until(lambda: answers(found), 60, "the page over TLS")
        yield found


def answers(gateway: Gateway) -> bool:
    try:
        return httpx.get(f"https://127.0.0.1:{gateway.port}/healthz", verify=gateway.trusts, trust_env=False).is_success
    except httpx.ConnectError:
        return False


def test_the_page_has_a_certificate_of_the_gateways_authority(gateway: Gateway) -> None:
    shown = gateway.certificate()
    names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "127.0.0.1" in {str(each.value) for each in names}
    assert "status" in {str(each.value) for each in names}
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"https://127.0.0.1:{gateway.port}/healthz", verify=ssl.create_default_context(), trust_env=False)
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"http://127.0.0.1:{gateway.port}/healthz", trust_env=False)


def test_a_renewal_drops_no_listener(gateway: Gateway) -> None:
    url = f"https://127.0.0.1:{gateway.port}/api/v1/events"
    seen = {gateway.certificate().serial_number}
    with (
        httpx.Client(verify=gateway.trusts, trust_env=False, timeout=20) as client,
        client.stream("GET", url) as events,
    ):
        overviews = 0
        for line in events.iter_lines():
            if line == "event: overview":
                overviews += 1
                seen.add(gateway.certificate().serial_number)
            if len(seen) > 3 or overviews > 20:
                break
    assert len(seen) > 3
    assert overviews >= 3
    said = " ".join(gateway.hub.logs("status", 1000))
    assert len(re.findall("a certificate for 127.0.0.1, good until", said)) >= 4
