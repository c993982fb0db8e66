"""What is wrapped for the operator opens with the private half, and with nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from modules.cache.keyring import Keyring
from modules.cache.operatorkey import OperatorKey, OperatorKeyError, PrivateKey

Private = X25519PrivateKey | RSAPrivateKey
DATA_KEY = b"d" * 32


@pytest.fixture(scope="module", params=["x25519", "rsa"])
def private(request: pytest.FixtureRequest) -> Private:
    return X25519PrivateKey.generate() if request.param == "x25519" else rsa.generate_private_key(65537, 2048)


def public_pem(private: Private | ec.EllipticCurvePrivateKey) -> str:
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def written(folder: Path, private: Private, password: str = "") -> Path:
    path = folder / "operator.pem"
    sealing = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealing))
    return path


def test_there_and_back(private: Private, tmp_path: Path) -> None:
    key = OperatorKey.read(public_pem(private))
    second = key.wrap(DATA_KEY)
    assert DATA_KEY not in second.wrapped
    assert key.wrap(DATA_KEY).wrapped != second.wrapped, "each wrapping is another"
    assert PrivateKey.read(written(tmp_path, private)).unwrap(second) == DATA_KEY
    assert PrivateKey.read(written(tmp_path, private, "secret"), "secret").unwrap(second) == DATA_KEY


def test_a_file_serves_as_well(private: Private, tmp_path: Path) -> None:
    path = tmp_path / "operator.pub"
    path.write_text(public_pem(private))
    assert OperatorKey.read(str(path)).fingerprint == OperatorKey.read(public_pem(private)).fingerprint


def test_another_key_and_an_altered_wrapping_are_refused(private: Private, tmp_path: Path) -> None:
    second = OperatorKey.read(public_pem(private)).wrap(DATA_KEY)
    opener = PrivateKey.read(written(tmp_path, private))
    with pytest.raises(OperatorKeyError, match="damaged"):
        opener.unwrap(replace(second, wrapped=second.wrapped[:-1] + bytes([second.wrapped[-1] ^ 1])))
    with pytest.raises(OperatorKeyError, match="wrapped for the key"):
        PrivateKey(X25519PrivateKey.generate()).unwrap(second)
    with pytest.raises(OperatorKeyError, match="none was set"):
        opener.unwrap(None)


def test_what_is_no_key_is_refused_in_words(tmp_path: Path) -> None:
    for text in ("nowhere.pem", "-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----\n"):
        with pytest.raises(OperatorKeyError, match="operator_key"):
            OperatorKey.read(text)
    with pytest.raises(OperatorKeyError, match="X25519"):
        OperatorKey.read(public_pem(ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(OperatorKeyError, match="no private key"):
        PrivateKey.read(tmp_path / "nowhere.pem")


def test_a_keyring_carries_it(private: Private, tmp_path: Path) -> None:
    class Plain:
        def encrypt(self, plaintext: bytes, iv: bytes) -> bytes:
            return iv + plaintext

        def decrypt(self, ciphertext: bytes, iv: bytes) -> bytes:
            return ciphertext.removeprefix(iv)

    keys = {1: b"1" * 32, 4: b"4" * 32}
    ring = Keyring.decode(Keyring.wrap(keys, Plain(), None).encode())
    assert ring.give(OperatorKey.read(public_pem(private)), keys)
    assert not ring.give(OperatorKey.read(public_pem(private)), keys), "all is wrapped"
    ring = Keyring.decode(ring.encode())
    assert ring.unwrap(Plain()) == keys
    assert ring.unwrap_as_operator(PrivateKey.read(written(tmp_path, private))) == keys
