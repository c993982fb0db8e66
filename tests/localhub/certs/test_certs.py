"""The hub's certificates, judged by OpenSSL through Python's ssl."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from localhub import certs
from localhub.state import State

NOW = datetime.now(UTC)


async def greet(state: State, authority: certs.Authority, *, name: str, client: tuple[Path, Path] | None = None) -> Any:
    """One TLS 1.2 connection to a server with the state's certificate; returns the client certificate's common name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(state.server_certificate, state.server_key)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    if client is not None:
        context.load_verify_locations(cadata=authority.pem().decode())
        context.verify_mode = ssl.CERT_REQUIRED
    seen = asyncio.get_running_loop().create_future()

    async def accepted(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.set_result(writer.get_extra_info("peercert"))
        writer.close()

    trust = ssl.create_default_context(cadata=authority.pem().decode())
    trust.verify_flags |= ssl.VERIFY_X509_STRICT
    if client is not None:
        trust.load_cert_chain(*client)
    async with await asyncio.start_server(accepted, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust, server_hostname=name)
        peer = await seen
        writer.close()
        await writer.wait_closed()
    return peer


@pytest.mark.parametrize("name", ["127.0.0.9", "localhost", "edgeHub", "edgehub", "gw7"])
def test_strict_clients_trust_the_hub_by_each_of_its_names(tmp_path: Path, name: str) -> None:
    state = State.prepare(tmp_path, address="127.0.0.9", gateway="gw7")
    authority = certs.ensure(state)
    asyncio.run(greet(state, authority, name=name))


def test_a_name_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    state = State.prepare(tmp_path)
    authority = certs.ensure(state)
    with pytest.raises(ssl.SSLCertVerificationError):
        asyncio.run(greet(state, authority, name="127.0.0.10"))


def test_a_leaf_proves_its_id_with_a_certificate(tmp_path: Path) -> None:
    state = State.prepare(tmp_path)
    authority = certs.ensure(state)
    certificate, key = authority.leaf("press4", NOW)
    (tmp_path / "leaf.pem").write_bytes(certificate)
    (tmp_path / "leaf.key").write_bytes(key)
    client = (tmp_path / "leaf.pem", tmp_path / "leaf.key")
    peer = asyncio.run(greet(state, authority, name="localhost", client=client))
    assert peer["subject"] == ((("commonName", "press4"),),)


def test_what_is_good_is_kept_and_keys_are_private(tmp_path: Path) -> None:
    state = State.prepare(tmp_path)
    certs.ensure(state)
    before = state.server_certificate.read_bytes(), state.ca_certificate.read_bytes()
    certs.ensure(state)
    assert (state.server_certificate.read_bytes(), state.ca_certificate.read_bytes()) == before
    assert {path.stat().st_mode & 0o077 for path in (state.ca_key, state.server_key)} == {0}


@pytest.mark.parametrize("days", [certs.SERVER_DAYS - 6, certs.SERVER_DAYS + 1])
def test_the_server_certificate_is_renewed_before_it_expires(tmp_path: Path, days: int) -> None:
    state = State.prepare(tmp_path)
    certs.ensure(state, NOW)
    ca = state.ca_certificate.read_bytes()
    certs.ensure(state, NOW + timedelta(days=days))
    served = x509.load_pem_x509_certificate(state.server_certificate.read_bytes())
    assert served.not_valid_after_utc > NOW + timedelta(days=certs.SERVER_DAYS + 1)
    assert state.ca_certificate.read_bytes() == ca


def test_a_new_address_gets_a_new_server_certificate(tmp_path: Path) -> None:
    certs.ensure(State.prepare(tmp_path))
    state = State.prepare(tmp_path, address="127.0.0.77")
    authority = certs.ensure(state)
    asyncio.run(greet(state, authority, name="127.0.0.77"))


def test_an_expired_or_lost_authority_takes_the_server_certificate_with_it(tmp_path: Path) -> None:
    state = State.prepare(tmp_path)
    certs.ensure(state, NOW - timedelta(days=certs.CA_DAYS))
    asyncio.run(greet(state, certs.ensure(state), name="localhost"))
    state.ca_key.unlink()
    asyncio.run(greet(state, certs.ensure(state), name="localhost"))


def test_a_pair_torn_by_a_kill_is_made_anew(tmp_path: Path) -> None:
    state = State.prepare(tmp_path)
    authority = certs.ensure(state)
    state.server_key.write_bytes(authority.server(("localhost",), NOW)[1])
    asyncio.run(greet(state, certs.ensure(state), name="localhost"))
