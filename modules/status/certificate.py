"""TLS with a certificate of the gateway's own: issued by the workload API, renewed well before its end.

The workload API signs with the gateway's CA, which whoever trusts the gateway trusts already. Private keys are not
kept: each start asks for a new certificate.
"""

import asyncio
import contextlib
import logging
import os
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

import httpx

log = logging.getLogger(__name__)

_DAYS: Final = 30
_RETRY_S: Final = 60.0
_LEAST_S: Final = 60.0
_TIMEOUT_S: Final = 30.0


class CertificateError(Exception):
    """The workload API gives no certificate; the text says why."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with its chain and key, in PEM."""

    chain: str
    key: str
    ends: datetime


@dataclass(frozen=True, slots=True)
class Issuer:
    """The workload API, asked as the module that the environment names (`unix:///path` or `http://host:port/`)."""

    uri: str
    module: str
    generation: str
    api_version: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Issuer":
        """From what edgeAgent injects. Raises CertificateError."""
        try:
            return cls(
                environment["IOTEDGE_WORKLOADURI"],
                environment["IOTEDGE_MODULEID"],
                environment["IOTEDGE_MODULEGENERATIONID"],
                environment["IOTEDGE_APIVERSION"],
            )
        except KeyError as error:
            raise CertificateError(f"{error.args[0]} is not set: TLS needs IoT Edge's workload API") from error

    async def issue(self, name: str, now: datetime) -> Issued:
        """A server certificate for `name` and the module's id, for thirty days. Raises CertificateError."""
        parts = urlsplit(self.uri)
        unix = parts.scheme == "unix"
        transport = httpx.AsyncHTTPTransport(uds=unquote(parts.path) if unix else None)
        base = "http://workload" if unix else self.uri.rstrip("/")
        path = f"/modules/{quote(self.module, safe='')}/genid/{quote(self.generation, safe='')}/certificate/server"
        wanted = {"commonName": name, "expiration": (now + timedelta(days=_DAYS)).isoformat(timespec="seconds")}
        try:
            async with httpx.AsyncClient(transport=transport, timeout=_TIMEOUT_S, trust_env=False) as client:
                answer = await client.post(base + path, params={"api-version": self.api_version}, json=wanted)
                if answer.status_code != httpx.codes.CREATED:
                    raise CertificateError(f"the workload API answers {answer.status_code}: {answer.text[:200]}")
                said = answer.json()
                return Issued(said["certificate"], said["privateKey"]["bytes"], _time(said["expiration"]))
        except (httpx.HTTPError, OSError) as error:
            raise CertificateError(f"the workload API does not answer: {type(error).__name__}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise CertificateError("the workload API gives no certificate that can be read") from error


class Certificate:
    """The context of TLS: `begin` once, then `stay`, which puts a new certificate in for new connections."""

    def __init__(self, issuer: Issuer, name: str) -> None:
        self.context: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.ends: datetime | None = None
        self._issuer = issuer
        self._name = name

    async def begin(self) -> None:
        """Get the first certificate. Raises CertificateError."""
        await self._renew()

    async def stay(self) -> None:
        """Renew when a third of the time is left; what fails is tried again each minute, and said once."""
        said = False
        while True:
            assert self.ends is not None
            await asyncio.sleep(_RETRY_S if said else max(_LEAST_S, renew_in(self.ends, datetime.now(UTC))))
            try:
                await self._renew()
                said = False
            except CertificateError as error:
                if not said:
                    log.warning("the certificate cannot be renewed, trying on; it ends %s: %s", self.ends, error)
                said = True

    async def _renew(self) -> None:
        issued = await self._issuer.issue(self._name, datetime.now(UTC))
        with _files(issued) as (chain, key):
            try:
                self.context.load_cert_chain(chain, key)
            except ssl.SSLError as error:
                raise CertificateError(f"the certificate cannot be used: {error.reason}") from error
        self.ends = issued.ends
        log.info("a certificate for %s, good until %s", self._name, issued.ends.isoformat(timespec="minutes"))


def renew_in(ends: datetime, now: datetime) -> float:
    """Seconds until two thirds of what is left of a certificate have gone by."""
    return max(0.0, (ends - now).total_seconds() * 2 / 3)


@contextlib.contextmanager
def _files(issued: Issued) -> Any:
    """Chain and key as files for as long as OpenSSL reads them: it takes no bytes."""
    with tempfile.TemporaryDirectory(prefix="millwatch-tls-") as folder:
        os.chmod(folder, 0o700)  # noqa: PTH101 - the folder's name is a text
        chain, key = Path(folder) / "chain.pem", Path(folder) / "key.pem"
        chain.write_text(issued.chain, encoding="ascii")
        key.touch(mode=0o600)
        key.write_text(issued.key, encoding="ascii")
        yield chain, key


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
