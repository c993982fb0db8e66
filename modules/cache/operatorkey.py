"""A second wrapping of the data keys, for an operator's key pair: its private half opens a store without its gateway.

docs/formats/cache.md, keys.json, has the bytes. The gateway only ever knows the public half.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

X25519 = "x25519"
RSA = "rsa-oaep-256"
_LEAST_RSA_BITS = 2048
_CONTEXT = b"millwatch cache 1 operator"
_NONCE = bytes(12)  # the key it is used with is used once
_POINT = 32

Public = X25519PublicKey | RSAPublicKey


class OperatorKeyError(ValueError):
    """A key that cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class SecondWrapping:
    """A data key that only the operator's private key opens; `key` is the public key's fingerprint."""

    scheme: str
    key: str
    wrapped: bytes


@dataclass(frozen=True, slots=True)
class OperatorKey:
    """An operator's public key."""

    public: Public

    @classmethod
    def read(cls, text: str) -> Self:
        """From PEM, or from the file that `text` names. Raises OperatorKeyError."""
        try:
            raw = text.encode() if text.lstrip().startswith("-----BEGIN") else Path(text).read_bytes()
            public = load_pem_public_key(raw)
        except (OSError, ValueError, UnsupportedAlgorithm) as error:
            raise OperatorKeyError(f"operator_key: no public key in PEM, nor the path of one ({error})") from error
        if isinstance(public, X25519PublicKey):
            return cls(public)
        if isinstance(public, RSAPublicKey) and public.key_size >= _LEAST_RSA_BITS:
            return cls(public)
        raise OperatorKeyError(f"operator_key: an X25519 key, or an RSA key of {_LEAST_RSA_BITS} bits or more, please")

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the public key, in hexadecimal."""
        return _fingerprint(self.public)

    def wrap(self, data_key: bytes) -> SecondWrapping:
        """The data key, for the private half of this key."""
        if isinstance(self.public, RSAPublicKey):
            return SecondWrapping(RSA, self.fingerprint, self.public.encrypt(data_key, _oaep()))
        once = X25519PrivateKey.generate()
        point = once.public_key().public_bytes_raw()
        key = _derive(once.exchange(self.public), point, self.public.public_bytes_raw())
        return SecondWrapping(X25519, self.fingerprint, point + AESGCM(key).encrypt(_NONCE, data_key, _CONTEXT))


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """The other half, on a machine of the operator's."""

    private: X25519PrivateKey | RSAPrivateKey

    @classmethod
    def read(cls, path: Path, password: str | None = None) -> Self:
        """From a PEM file. Raises OperatorKeyError."""
        try:
            private = load_pem_private_key(path.read_bytes(), password.encode() if password else None)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise OperatorKeyError(f"{path}: no private key that can be read: {error}") from error
        if not isinstance(private, X25519PrivateKey | RSAPrivateKey):
            raise OperatorKeyError(f"{path}: neither an X25519 nor an RSA key")
        return cls(private)

    def unwrap(self, second: SecondWrapping | None) -> bytes:
        """The data key. Raises OperatorKeyError when it was wrapped for another key, or not at all."""
        if second is None:
            raise OperatorKeyError("this store has no wrapping for an operator's key: none was set when it was written")
        public = self.private.public_key()
        if second.key != _fingerprint(public):
            raise OperatorKeyError(f"wrapped for the key {second.key[:16]}, not for {_fingerprint(public)[:16]}")
        try:
            if isinstance(self.private, RSAPrivateKey):
                return self.private.decrypt(second.wrapped, _oaep())
            point = second.wrapped[:_POINT]
            shared = self.private.exchange(X25519PublicKey.from_public_bytes(point))
            key = _derive(shared, point, self.private.public_key().public_bytes_raw())
            return AESGCM(key).decrypt(_NONCE, second.wrapped[_POINT:], _CONTEXT)
        except (ValueError, InvalidTag) as error:
            raise OperatorKeyError(f"the wrapping is damaged: {error}") from error


def _fingerprint(public: Public) -> str:
    return hashlib.sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def _derive(shared: bytes, point: bytes, public: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, None, _CONTEXT + point + public).derive(shared)


def _oaep() -> OAEP:
    return OAEP(MGF1(hashes.SHA256()), hashes.SHA256(), None)
