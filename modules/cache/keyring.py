"""The data keys of a store, wrapped, in keys.json (docs/formats/cache.md, keys.json)."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from modules.cache.operatorkey import OperatorKey, PrivateKey, SecondWrapping
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
    """A data key that only the wrapper can open, and the operator where there is a second wrapping."""

    number: int
    wrapped: bytes
    iv: bytes
    operator: SecondWrapping | None = None


@dataclass(slots=True)
class Keyring:
    """The wrapped keys, oldest first; the newest seals."""

    keys: list[WrappedKey] = field(default_factory=list)

    def new(self, random: Callable[[int], bytes] = os.urandom) -> tuple[int, bytes]:
        """A number and a data key to go with it. Raises ValueError when the numbers are used up."""
        number = self.keys[-1].number + 1 if self.keys else 1
        if number > LAST_NUMBER:
            raise ValueError("this store has had all its keys; begin a new one")
        return number, random(KEY_BYTES)

    @classmethod
    def wrap(
        cls,
        keys: Mapping[int, bytes],
        wrapper: Wrapper,
        operator: OperatorKey | None,
        random: Callable[[int], bytes] = os.urandom,
    ) -> Keyring:
        """A keyring of these data keys, each wrapped anew."""
        wrapped = []
        for number, key in sorted(keys.items()):
            iv = random(IV_BYTES)
            second = operator.wrap(key) if operator else None
            wrapped.append(WrappedKey(number, wrapper.encrypt(key, iv), iv, second))
        return cls(wrapped)

    def unwrap(self, wrapper: Wrapper) -> dict[int, bytes]:
        """The data keys by number."""
        return {key.number: wrapper.decrypt(key.wrapped, key.iv) for key in self.keys}

    def unwrap_as_operator(self, private: PrivateKey) -> dict[int, bytes]:
        """The data keys by number, from their second wrappings. Raises OperatorKeyError."""
        return {key.number: private.unwrap(key.operator) for key in self.keys}

    def give(self, operator: OperatorKey, keys: Mapping[int, bytes]) -> bool:
        """Wrap for the operator what is not yet wrapped for this key; False when all is. `keys`: the data keys."""
        lacking = [key for key in self.keys if key.operator is None or key.operator.key != operator.fingerprint]
        for key in lacking:
            self.keys[self.keys.index(key)] = replace(key, operator=operator.wrap(keys[key.number]))
        return bool(lacking)

    def encode(self) -> str:
        """keys.json."""
        keys = [
            {"number": key.number, "wrapped": _text(key.wrapped), "iv": _text(key.iv)} | _second(key.operator)
            for key in self.keys
        ]
        return json.dumps({"format": FORMAT, "sha256": _digest(keys), "keys": keys})

    @classmethod
    def decode(cls, text: str | bytes) -> Keyring:
        """From keys.json. Raises KeyringDamagedError."""
        try:
            document = json.loads(text)
            if document["format"] != FORMAT:
                raise KeyringDamagedError(f"keys.json has format {document['format']}; this program reads {FORMAT}")
            if document["sha256"] != _digest(document["keys"]):
                raise KeyringDamagedError("keys.json is not what was written")
            return cls([_key(each) for each in document["keys"]])
        except (ValueError, KeyError, TypeError) as error:
            raise KeyringDamagedError(f"keys.json cannot be read: {error}") from error


def _digest(keys: list[dict[str, Any]]) -> str:
    """Tells a damaged file from a key store that refuses: the former is restored from its copy."""
    return hashlib.sha256(json.dumps(keys).encode()).hexdigest()


def _second(second: SecondWrapping | None) -> dict[str, object]:
    if second is None:
        return {}
    return {"operator": {"scheme": second.scheme, "key": second.key, "wrapped": _text(second.wrapped)}}


def _key(document: Mapping[str, Any]) -> WrappedKey:
    second = document.get("operator")
    return WrappedKey(
        int(document["number"]),
        base64.b64decode(document["wrapped"]),
        base64.b64decode(document["iv"]),
        second and SecondWrapping(str(second["scheme"]), str(second["key"]), base64.b64decode(second["wrapped"])),
    )


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
