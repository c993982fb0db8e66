"""The data keys of a store, wrapped, in keys.json (docs/formats/cache.md, keys.json)."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from modules.cache.sealing import KEY_BYTES

FORMAT = 1
LAST_NUMBER = 255
IV_BYTES = 16


class Wrapper(Protocol):
    """Keeps a key for us: the workload API, or an operator's own."""

    def encrypt(self, plaintext: bytes, iv: bytes) -> bytes:
        """Wrap."""

    def decrypt(self, ciphertext: bytes, iv: bytes) -> bytes:
        """Unwrap."""


class KeyLostError(Exception):
    """The data keys cannot be had: the key store is another one, or keys.json and its copy are gone."""


class KeyringDamagedError(Exception):
    """keys.json cannot be read."""


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key that only the wrapper can open."""

    number: int
    wrapped: bytes
    iv: bytes


@dataclass(slots=True)
class Keyring:
    """The wrapped keys, oldest first; the newest seals."""

    keys: list[WrappedKey] = field(default_factory=list)

    def add(self, wrapper: Wrapper, random: Callable[[int], bytes] = os.urandom) -> None:
        """Make and wrap one more data key. Raises ValueError when its numbers are used up."""
        number = self.keys[-1].number + 1 if self.keys else 1
        if number > LAST_NUMBER:
            raise ValueError("this store has had all its keys; begin a new one")
        iv = random(IV_BYTES)
        self.keys.append(WrappedKey(number, wrapper.encrypt(random(KEY_BYTES), iv), iv))

    def unwrap(self, wrapper: Wrapper) -> dict[int, bytes]:
        """The data keys by number."""
        return {key.number: wrapper.decrypt(key.wrapped, key.iv) for key in self.keys}

    def encode(self) -> str:
        """keys.json."""
        return json.dumps(
            {
                "format": FORMAT,
                "keys": [
                    {"number": key.number, "wrapped": _text(key.wrapped), "iv": _text(key.iv)} for key in self.keys
                ],
            }
        )

    @classmethod
    def decode(cls, text: str | bytes) -> Keyring:
        """From keys.json. Raises KeyringDamagedError."""
        try:
            document = json.loads(text)
            if document["format"] != FORMAT:
                raise KeyringDamagedError(f"keys.json has format {document['format']}; this program reads {FORMAT}")
            return cls(
                [
                    WrappedKey(int(key["number"]), base64.b64decode(key["wrapped"]), base64.b64decode(key["iv"]))
                    for key in document["keys"]
                ]
            )
        except (ValueError, KeyError, TypeError) as error:
            raise KeyringDamagedError(f"keys.json cannot be read: {error}") from error


def save(path: Path, text: str) -> None:
    """Replace a file so that either the old or the new one is there, on disk when this returns."""
    new = path.with_name(path.name + ".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, text.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    new.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
