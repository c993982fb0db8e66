"""Certificates of one localhub: its own CA, the hub's server certificate, and leaf devices' certificates.

A leaf device may be declared for a certificate that the CA signed and whose common name is the device's id, or for one
that it signed itself and that is known by its thumbprint; `ensure_leaf` makes both, `verify_leaf` judges what comes.

P-256 keys: made in a millisecond and accepted by the TLS 1.2 stacks of every SDK. The extensions are those that
Python 3.13's strict verification asks for (key usage on the CA, subject and authority key identifiers).
"""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from localhub.identity import Auth, Credential
from localhub.state import State, write_atomic

CA_DAYS = 3650
SERVER_DAYS = 365
RENEW_BEFORE = timedelta(days=7)
BACKDATED = timedelta(days=1)  # a container's or a laptop's clock may lag
HUB_NAMES = ("localhost", "edgehub", "edgeHub")


class LeafRefused(Exception):
    """A leaf device's certificate does not prove its id; the text says why."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA that can issue certificates."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def create(cls, now: datetime) -> Self:
        """A new self-signed CA."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("localhub CA")
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        builder = (
            _builder(name, name, key, now, CA_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        )
        return cls(builder.sign(key, hashes.SHA256()), key)

    @classmethod
    def from_pem(cls, certificate: bytes, key: bytes) -> Self:
        """Read a CA; raises ValueError when it is not one of ours."""
        private = serialization.load_pem_private_key(key, password=None)
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise ValueError("the CA's key is not an elliptic curve key")  # noqa: TRY004 - the file is wrong, not a type
        return cls(x509.load_pem_x509_certificate(certificate), private)

    def server(self, names: tuple[str, ...], now: datetime, days: int = SERVER_DAYS) -> tuple[bytes, bytes]:
        """Certificate chain and key, as PEM, for a server that answers to these host names and addresses."""
        return self._issue(names[0], names, ExtendedKeyUsageOID.SERVER_AUTH, now, days)

    def leaf(self, device: str, now: datetime, days: int = SERVER_DAYS) -> tuple[bytes, bytes]:
        """Certificate chain and key, as PEM, with which a leaf device proves its id (the common name)."""
        return self._issue(device, (), ExtendedKeyUsageOID.CLIENT_AUTH, now, days)

    def pem(self) -> bytes:
        """The CA's certificate: the trust bundle."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def _issue(
        self, subject: str, names: tuple[str, ...], usage: x509.ObjectIdentifier, now: datetime, days: int
    ) -> tuple[bytes, bytes]:
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = self.key.public_key()
        builder = (
            _builder(_name(subject), self.certificate.subject, key, now, days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer), critical=False)
        )
        if names:
            alternatives = x509.SubjectAlternativeName([_general_name(name) for name in dict.fromkeys(names)])
            builder = builder.add_extension(alternatives, critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.PEM) + self.pem(), _key_pem(key)


def ensure(state: State, now: datetime | None = None) -> Authority:
    """Make what is missing, expired or does not cover the gateway's address; keep the rest. Returns the CA."""
    now = now or datetime.now(UTC)
    authority = _ensure_authority(state, now)
    names = (state.address, *HUB_NAMES, state.gateway)
    if not _server_is_good(state, authority, names, now):
        certificate, key = authority.server(names, now)
        write_atomic(state.server_key, key)
        write_atomic(state.server_certificate, certificate, mode=0o644)
    return authority


def ensure_leaf(state: State, authority: Authority, device: str, auth: Auth, now: datetime | None = None) -> Credential:
    """Make a leaf device's certificate and key if there are none, or they will not do; what they are checked against.

    `auth` is one of the two X.509 ways.
    """
    now = now or datetime.now(UTC)
    path, key_path = state.device_certificate(device), state.device_key(device)
    issuer = authority.certificate if auth is Auth.X509_CA else None
    if not _leaf_is_good(path, key_path, issuer, now):
        certificate, key = authority.leaf(device, now) if auth is Auth.X509_CA else self_signed(device, now)
        write_atomic(key_path, key)
        write_atomic(path, certificate, mode=0o644)
    if auth is Auth.X509_CA:
        return Credential(auth)
    made = x509.load_pem_x509_certificate(path.read_bytes())
    return Credential(auth, thumbprint=made.fingerprint(hashes.SHA256()).hex().upper())


def self_signed(device: str, now: datetime, days: int = SERVER_DAYS) -> tuple[bytes, bytes]:
    """Certificate and key, as PEM, that a device has made for itself: good for who knows the thumbprint."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(device)
    builder = (
        _builder(name, name, key, now, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM), _key_pem(key)


def verify_leaf(
    certificate: bytes, device: str, credential: Credential, authority: x509.Certificate, now: datetime
) -> None:
    """Returns when a certificate (DER) proves a leaf device's id; raises LeafRefused.

    As DeviceScopeCertificateAuthenticator.cs does it: by thumbprint, or by the CA and the common name; in both cases
    the certificate must be valid `now`. That its holder has the key is what TLS has proven.
    """
    if credential.auth is Auth.SAS:
        raise LeafRefused(f"{device} is declared for a key: it proves itself by a token, not by a certificate")
    try:
        given = x509.load_der_x509_certificate(certificate)
    except ValueError as error:
        raise LeafRefused("its certificate cannot be read") from error
    if now >= given.not_valid_after_utc:
        raise LeafRefused(f"its certificate expired at {given.not_valid_after_utc:%Y-%m-%d %H:%M:%S} UTC")
    if now < given.not_valid_before_utc:
        raise LeafRefused(f"its certificate is not valid before {given.not_valid_before_utc:%Y-%m-%d %H:%M:%S} UTC")
    if credential.auth is Auth.X509_THUMBPRINT:
        thumbprint = given.fingerprint(hashes.SHA256()).hex().upper()
        if thumbprint != credential.thumbprint:
            raise LeafRefused(
                f"its certificate's thumbprint {thumbprint} is not the one that {device} is declared with"
            )
        return
    names = [str(name.value) for name in given.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if names != [device]:
        raise LeafRefused(f"its certificate is for {' and '.join(names) or 'nobody'}, not for {device}")
    if not _is_issued_by(given, authority):
        raise LeafRefused("its certificate was not signed by this gateway's CA")


def _leaf_is_good(path: Path, key_path: Path, issuer: x509.Certificate | None, now: datetime) -> bool:
    """Whether a pair is there, belongs together, lasts, and is the issuer's (None: its own)."""
    if not (path.exists() and key_path.exists()):
        return False
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    key = serialization.load_pem_private_key(key_path.read_bytes(), password=None)
    return (
        key.public_key() == certificate.public_key()
        and _is_current(certificate, now)
        and _is_issued_by(certificate, issuer or certificate)
    )


def _ensure_authority(state: State, now: datetime) -> Authority:
    if state.ca_certificate.exists() and state.ca_key.exists():
        authority = Authority.from_pem(state.ca_certificate.read_bytes(), state.ca_key.read_bytes())
        if _is_current(authority.certificate, now):
            return authority
    authority = Authority.create(now)
    write_atomic(state.ca_key, _key_pem(authority.key))
    write_atomic(state.ca_certificate, authority.pem(), mode=0o644)
    return authority


def _server_is_good(state: State, authority: Authority, names: tuple[str, ...], now: datetime) -> bool:
    if not (state.server_certificate.exists() and state.server_key.exists()):
        return False
    certificate = x509.load_pem_x509_certificate(state.server_certificate.read_bytes())
    key = serialization.load_pem_private_key(state.server_key.read_bytes(), password=None)
    covered = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return (
        _is_issued_by(certificate, authority.certificate)
        and key.public_key() == certificate.public_key()  # a kill between the two writes leaves no matching pair
        and _is_current(certificate, now)
        and all(_general_name(name) in covered for name in names)
    )


def _is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except Exception:  # noqa: BLE001 - InvalidSignature, ValueError or TypeError: each means it is another's
        return False
    return True


def _is_current(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - RENEW_BEFORE


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
