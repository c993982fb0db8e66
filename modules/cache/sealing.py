"""AES-256-GCM for each record. Why the nonces never repeat: docs/formats/cache.md, Sealed body."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
PREFIX_BYTES = 8
COUNTER_BYTES = 4
TAG_BYTES = 16
NONCE_BYTES = PREFIX_BYTES + COUNTER_BYTES
_COUNTS = 1 << (8 * COUNTER_BYTES)
OVERHEAD = 1 + NONCE_BYTES + TAG_BYTES


class DamagedRecordError(Exception):
    """A sealed body did not authenticate: it, or a column bound to it, is not what was written. Quarantine it."""


class Sealer:
    """Seals with the newest key and opens with any; one instance for one opening of a store."""

    def __init__(self, keys: Mapping[int, bytes], *, random: Callable[[int], bytes] = os.urandom) -> None:
        self._random = random
        self.take(keys)
        self._prefix = random(PREFIX_BYTES)
        self._counter = 0

    def take(self, keys: Mapping[int, bytes]) -> None:
        """Seal and open with these keys from now on; nonces go on, so that a key that stays sees none twice."""
        self._ciphers = {number: AESGCM(key) for number, key in keys.items()}
        self.number = max(keys)
        self._encrypt = self._ciphers[self.number].encrypt
        self._head = bytes([self.number])

    def seal(self, payload: bytes, associated: bytes) -> bytes:
        """Key number, nonce, ciphertext and tag."""
        counter = self._counter
        if counter == _COUNTS:
            self._prefix = self._random(PREFIX_BYTES)
            counter = 0
        self._counter = counter + 1
        nonce = self._prefix + counter.to_bytes(COUNTER_BYTES, "big")
        return self._head + nonce + self._encrypt(nonce, payload, associated)

    def open(self, sealed: bytes, associated: bytes) -> bytes:
        """The payload. Raises DamagedRecordError when it or what is bound to it was altered, or its key is not ours."""
        cipher = self._ciphers.get(sealed[0]) if len(sealed) >= OVERHEAD else None
        if cipher is None:
            raise DamagedRecordError("no key for it")
        try:
            return cipher.decrypt(sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :], associated)
        except InvalidTag:
            raise DamagedRecordError("it does not authenticate") from None


class Blind(Sealer):
    """For looking at a store without its keys: opens everything as nothing, and must not be let write."""

    def __init__(self) -> None:
        super().__init__({0: bytes(KEY_BYTES)})

    def open(self, sealed: bytes, associated: bytes) -> bytes:  # noqa: ARG002 -- it looks at neither
        """Nothing."""
        return b""
