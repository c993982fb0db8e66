"""The workload API's encrypt and decrypt: AES-256-GCM under a key of the module's own.

A module's key is derived (HKDF-SHA256) from one master key in the state folder and the module's id and generation, so
another module, or the same name deployed anew, cannot open what this one sealed. The caller's initialization vector is
not used as the GCM nonce, for a caller that repeats one would give its key away; it is authenticated instead, beside a
random nonce that travels with the ciphertext. So decrypt needs the same vector, as with the real service, and
repeating one is harmless. Sealed text is nonce (12 bytes), ciphertext, tag (16 bytes).
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from localhub.state import write_atomic

KEY_BYTES = 32
NONCE_BYTES = 12


class SealBrokenError(Exception):
    """What was to be opened was not sealed by this module here, with this vector, or has been altered."""


class Sealer:
    """Seals for every module of one gateway."""

    def __init__(self, master: bytes) -> None:
        self._master = master

    @classmethod
    def of(cls, path: Path) -> Sealer:
        """The sealer whose master key is in a file, made at first use and readable by its owner only."""
        if not path.exists():
            write_atomic(path, secrets.token_bytes(KEY_BYTES))
        return cls(path.read_bytes())

    def seal(self, module: str, generation: str, plaintext: bytes, vector: bytes) -> bytes:
        """Encrypt and authenticate."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher(module, generation).encrypt(nonce, plaintext, vector)

    def open(self, module: str, generation: str, sealed: bytes, vector: bytes) -> bytes:
        """Decrypt; raises SealBrokenError."""
        try:
            return self._cipher(module, generation).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], vector)
        except (InvalidTag, ValueError) as error:
            raise SealBrokenError(
                f"this was not sealed by module {module} (generation {generation}) with this initialization vector, "
                "or it was altered since"
            ) from error

    def _cipher(self, module: str, generation: str) -> AESGCM:
        info = f"localhub workload\0{module}\0{generation}".encode()
        return AESGCM(HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=None, info=info).derive(self._master))
