"""An OPC UA server: how it is reached, signed and encrypted where it is set (asyncua)."""

import asyncio
import logging
from pathlib import Path
from typing import Final, Literal, Self

from asyncua import Client, ua
from asyncua.common.node import Node
from asyncua.crypto import security_policies, uacrypto
from cryptography import x509
from pydantic import Field, model_validator

from modules.common.field.reach import FieldError, credentials
from modules.common.settings import Part

# It logs a traceback of its publish loop for every server that goes; what is wrong is told in health, once.
logging.getLogger("asyncua").setLevel(logging.CRITICAL + 1)

log = logging.getLogger(__name__)

Policy = Literal["Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"]

_POLICIES: Final[dict[Policy, type[security_policies.SecurityPolicy]]] = {
    "Basic256Sha256": security_policies.SecurityPolicyBasic256Sha256,
    "Aes128Sha256RsaOaep": security_policies.SecurityPolicyAes128Sha256RsaOaep,
    "Aes256Sha256RsaPss": security_policies.SecurityPolicyAes256Sha256RsaPss,
}
_CLOSE_S: Final = 1.0


class OpcServer(Part):
    """A server, and what it must be and be told."""

    url: str = Field(title="Address", description="without user and password", pattern=r"^opc\.tcp://[^@\s]+$")
    timeout_s: float = Field(4.0, ge=0.2, le=60, title="Time for an answer", description="seconds")
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

    def client(self) -> Client:
        """A client that is not connected yet."""
        return Client(self.url, timeout=self.timeout_s, watchdog_intervall=self.check_s)

    async def connect(self, client: Client) -> None:
        """Connect with user, password and certificates as set. Raises FieldError, OSError, TimeoutError, UaError."""
        await self._prepare(client)
        await client.connect()

    async def found(self, client: Client, address: str, numbers: dict[str, int]) -> Node:
        """The node of an address. A namespace said by its URI gets the number it has in this server now.

        `numbers` remembers those found so far. Raises FieldError for a namespace that is not there.
        """
        if address.startswith("nsu="):
            uri, _, rest = address.removeprefix("nsu=").partition(";")
            if uri not in numbers:
                try:
                    numbers[uri] = await client.get_namespace_index(uri)
                except ValueError as error:
                    raise FieldError(f"{self.url} has no namespace {uri}") from error
            address = f"ns={numbers[uri]};{rest}"
        return client.get_node(address)

    async def _prepare(self, client: Client) -> None:
        pair = await asyncio.to_thread(credentials, self.credentials_file)
        if pair is not None:
            client.set_user(pair[0])
            client.set_password(pair[1])
        files = [each for each in (self.cert_file, self.key_file, self.server_cert_file) if each is not None]
        if self.policy is None:
            return
        mode = ua.MessageSecurityMode
        try:
            client.application_uri = await asyncio.to_thread(_uri_of, files[0]) or client.application_uri
            certificate, key, server = await asyncio.to_thread(lambda: [_file(each) for each in files])
            await client.set_security(
                _POLICIES[self.policy],
                certificate,
                key,
                server_certificate=server,
                mode=mode.Sign if self.mode == "sign" else mode.SignAndEncrypt,
            )
        except ValueError as error:
            raise FieldError(f"a certificate cannot be used: {error}") from error


def check_address(address: str) -> str:
    """The address of a node as it is. Raises ValueError for what is none."""
    if not address.startswith("nsu="):
        try:
            ua.NodeId.from_string(address)
        except ua.UaStringParsingError as error:
            raise ValueError(f"no node id: {address}") from error
    elif ";" not in address:
        raise ValueError("nsu=URI;s=... has two parts")
    return address


def said(error: Exception) -> str:
    """What an error says, or else is called: many of asyncua's say nothing."""
    return str(error) or type(error).__name__


async def close(client: Client) -> None:
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
