"""The keys that sign a repository: files of one folder, Ed25519, PKCS #8.

`root.pem` and `targets.pem` belong to the operator, are encrypted with a passphrase, and need not lie on any server;
`online.pem` signs snapshot and timestamp, which expire within days, and lies wherever those are renewed.
"""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from securesystemslib.signer import CryptoSigner

from fleet.exits import Exit, FleetError

KEYS: Final = ("root", "targets", "online")
VARIABLE: Final = "MILLWATCH_KEY_PASSPHRASE"
_OFFLINE: Final = frozenset({"root", "targets"})
_LEAST: Final = 8


class Keys:
    """The keys in `folder`. `ask` gives the passphrase of a key by its name; it is asked once for each."""

    def __init__(self, folder: Path, ask: Callable[[str], str] | None = None) -> None:
        self._folder, self._ask = folder, ask or passphrase
        self._known: dict[str, CryptoSigner] = {}

    def signer(self, name: str) -> CryptoSigner:
        """The key of a role. Raises FleetError when it is not here or the passphrase is wrong."""
        if name not in self._known:
            self._known[name] = self._read(name)
        return self._known[name]

    def make(self, name: str) -> CryptoSigner:
        """A new key in place of the one before, which stays beside it as `NAME.before.pem`. Raises FleetError."""
        secret = self._secret(name)
        if secret is not None and len(secret) < _LEAST:
            raise FleetError(f"the passphrase of {name}.pem has fewer than {_LEAST} characters", Exit.USAGE)
        key = Ed25519PrivateKey.generate()
        how = NoEncryption() if secret is None else BestAvailableEncryption(secret.encode())
        path = self._folder / f"{name}.pem"
        self._folder.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how))
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            path.replace(path.with_suffix(".before.pem"))
        fresh.replace(path)
        self._known[name] = CryptoSigner(key)
        return self._known[name]

    def missing(self) -> list[str]:
        """Names of the keys that are not in the folder."""
        return [name for name in KEYS if not (self._folder / f"{name}.pem").exists()]

    def _read(self, name: str) -> CryptoSigner:
        path = self._folder / f"{name}.pem"
        try:
            content = path.read_bytes()
        except OSError as error:
            raise FleetError(f"{path}: {error.strerror}; this step signs with the key {name}", Exit.CONTENT) from error
        secret = self._secret(name)
        try:
            key = load_pem_private_key(content, None if secret is None else secret.encode())
        except (ValueError, TypeError) as error:
            raise FleetError(f"{path} does not open: {error}", Exit.CONTENT) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise FleetError(f"{path} is no Ed25519 key", Exit.CONTENT)
        return CryptoSigner(key)

    def _secret(self, name: str) -> str | None:
        return self._ask(name) if name in _OFFLINE else None


def passphrase(name: str) -> str:
    """From MILLWATCH_KEY_PASSPHRASE_NAME or MILLWATCH_KEY_PASSPHRASE, else from the terminal. Raises FleetError."""
    found = os.environ.get(f"{VARIABLE}_{name.upper()}") or os.environ.get(VARIABLE)
    if found:
        return found
    if not sys.stdin.isatty():
        raise FleetError(f"{name}.pem needs its passphrase: set {VARIABLE}_{name.upper()} or {VARIABLE}", Exit.USAGE)
    return getpass.getpass(f"passphrase of {name}.pem: ")
