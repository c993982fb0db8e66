"""The live store's keys.json: its data keys unwrapped, changed while the store is in use, and restored when lost."""

from __future__ import annotations

import mmap
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from modules.cache.keyring import KeyLostError, Keyring, KeyringDamagedError, Wrapper, save, sync_folder
from modules.cache.operatorkey import OperatorKey
from modules.cache.workload import WorkloadRefusedError

NAME = "keys.json"
_COPY_STARTS = b'{"format": '
_COPY_ENDS = b"]}"
_LONGEST_COPY = 64 * 1024


@dataclass(frozen=True, slots=True)
class Changed:
    """keys.json is another one: for Store.rekey."""

    keys: Mapping[int, bytes]
    copy: str


@dataclass(slots=True)
class KeyFile:
    """Keys of the store in `live`; its methods block on the workload API, and may be called from several threads."""

    live: Path
    wrapper: Wrapper
    say: Callable[[str], None]
    sleep: Callable[[float], None]
    patience_s: float
    operator: OperatorKey | None = None
    keys: dict[int, bytes] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.live / NAME

    def unlock(self, database: Path) -> dict[int, bytes]:
        """The data keys; a new one where there is no store. Raises KeyLostError and WorkloadUnreachableError."""
        with self._lock:
            if not self.live.exists():
                self.live.mkdir(mode=0o700, parents=True)
                sync_folder(self.live.parent)
            keyring = self._read(database)
            if keyring is None:
                if database.exists():
                    raise KeyLostError("keys.json is gone or damaged, and so is its copy")
                number, key = Keyring().new()
                keyring = Keyring.wrap({number: key}, self.wrapper, self.operator)
                save(self.path, keyring.encode())
            self.keys = self._unwrap(keyring)
            if self.operator and keyring.give(self.operator, self.keys):
                save(self.path, keyring.encode())
            return self.keys

    def text(self) -> str:
        """What the file holds."""
        return self.path.read_text()

    def rotate(self) -> Changed:
        """One more data key, to seal with from now on; all are wrapped anew. Raises ValueError when numbers are out."""
        with self._lock:
            number, key = Keyring.decode(self.text()).new()
            return self._replace(self.keys | {number: key})

    def retire(self, oldest: int) -> Changed | None:
        """Forget the keys before number `oldest`, which nothing needs any more; None where there are none."""
        with self._lock:
            keyring = Keyring.decode(self.text())
            needed = [key for key in keyring.keys if key.number >= oldest]
            if len(needed) == len(keyring.keys) or not needed:
                return None
            self.keys = {key.number: self.keys[key.number] for key in needed}
            save(self.path, Keyring(needed).encode())
            return Changed(self.keys, self.text())

    def give(self, operator: OperatorKey | None) -> Changed | None:
        """Wrap for this operator's key what is not yet; None where nothing was to be done."""
        with self._lock:
            self.operator = operator
            keyring = Keyring.decode(self.text())
            if operator is None or not keyring.give(operator, self.keys):
                return None
            save(self.path, keyring.encode())
            return Changed(self.keys, self.text())

    def check(self) -> Changed | None:
        """See that the key store still opens the file; where it refuses, wrap the keys, which are at hand, anew.

        So a key store that was exchanged under a running gateway costs nothing. Raises WorkloadUnreachableError.
        """
        with self._lock:
            try:
                Keyring.decode(self.text()).unwrap(self.wrapper)
            except (WorkloadRefusedError, KeyringDamagedError, FileNotFoundError) as error:
                self.say(
                    f"keys.json opens no more ({error}); the keys are wrapped anew with the key store there is now"
                )
                return self._replace(self.keys)
            return None

    def _replace(self, keys: Mapping[int, bytes]) -> Changed:
        keyring = Keyring.wrap(keys, self.wrapper, self.operator)
        save(self.path, keyring.encode())
        self.keys = dict(keys)
        return Changed(self.keys, self.text())

    def _unwrap(self, keyring: Keyring) -> dict[int, bytes]:
        """Patiently: the key service may only be starting, and its refusal then looks no different."""
        waited = 0.0
        while True:
            try:
                return keyring.unwrap(self.wrapper)
            except WorkloadRefusedError as error:
                if waited >= self.patience_s:
                    raise KeyLostError(str(error)) from error
                pause = max(0.5, waited)
                self.sleep(pause)
                waited += pause

    def _read(self, database: Path) -> Keyring | None:
        """From keys.json, else from its copy in the database."""
        try:
            return Keyring.decode(self.path.read_bytes())
        except (FileNotFoundError, KeyringDamagedError) as error:
            copies = list(_copies(database)) + list(_copies(database.with_name(database.name + "-wal")))
            if not copies:
                return None
            newest = max(copies, key=lambda ring: (ring.keys[-1].number, sum(1 for key in ring.keys if key.operator)))
            self.say(f"keys.json is restored from its copy in the database ({error})")
            save(self.path, newest.encode())
            return newest


def _copies(path: Path) -> Iterator[Keyring]:
    """Copies are plain JSON in a page; they are looked for as text, so that no tree need be whole."""
    if not path.exists() or not path.stat().st_size:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as raw:
        start = raw.find(_COPY_STARTS)
        while start >= 0:
            end = raw.find(_COPY_ENDS, start, start + _LONGEST_COPY)
            try:
                keyring = Keyring.decode(raw[start : end + len(_COPY_ENDS)])
            except KeyringDamagedError:
                keyring = Keyring()
            if keyring.keys:
                yield keyring
            start = raw.find(_COPY_STARTS, start + 1)
