"""Where stores live: the live one is opened, and one that cannot be is set aside, never deleted."""

from __future__ import annotations

import mmap
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TypeVar

from modules.cache.keyring import KeyLostError, Keyring, KeyringDamagedError, Wrapper, save, sync_folder
from modules.cache.sealing import Sealer
from modules.cache.store.clock import Clock
from modules.cache.store.errors import StoreDamagedError, StoreError, StoreForeignError
from modules.cache.store.salvage import Salvage
from modules.cache.store.state import Limits
from modules.cache.store.store import DATABASE, Append, Appended, Store
from modules.cache.workload import WorkloadRefusedError

T = TypeVar("T")

_KEYS = "keys.json"
_FRESH = "store.new"
_SALVAGE_BATCH = 100
ADVICE = {
    "key": "restore the gateway's key store or module identity, stop the module and rename this folder to 'store'",
    "damaged": "what could be authenticated was carried over; keep the folder for `verify` and `export`, or delete it",
}


@dataclass(frozen=True, slots=True)
class SetAside:
    """An earlier store that was renamed, with its size and what an operator can do about it."""

    folder: Path
    reason: str
    size: int
    advice: str


@dataclass(slots=True)
class House:
    """The state folder: `store/` and what was set aside. `say` is told, in a line, whatever is out of the ordinary."""

    root: Path
    wrapper: Wrapper
    say: Callable[[str], None]
    limits: Limits = field(default_factory=Limits)
    clock: Clock = field(default_factory=Clock)
    patience_s: float = 60.0
    sleep: Callable[[float], None] = time.sleep
    _keys: dict[int, bytes] = field(default_factory=dict)

    @property
    def live(self) -> Path:
        """The folder of the live store."""
        return self.root / "store"

    def open(self) -> Store:
        """The live store; a new one where there is none or the old one had to be set aside. Blocks.

        Raises WorkloadUnreachableError (nothing was touched: try again) and StoreBusyError.
        """
        self._settle()
        try:
            self._keys = self._unlock()
        except KeyLostError as error:
            self._set_aside("key")
            self.say(f"the key of the store cannot be had ({error}); a new store begins; {ADVICE['key']}")
            self._keys = self._unlock()
        try:
            return self._open()
        except (StoreDamagedError, StoreForeignError) as error:
            return self.replace(error)

    def replace(self, error: StoreError) -> Store:
        """Set the live store, which is closed, aside as damaged and begin a new one with what can be saved.

        Needs the keys that `open` unwrapped, and not the workload API.
        """
        self.say(f"the store is damaged ({error}); a new one begins with what can be saved")
        (self.live / "ballast").unlink(missing_ok=True)  # the new store needs the room
        fresh = self._fresh()
        save(fresh / _KEYS, (self.live / _KEYS).read_text())
        store = Store.open(fresh, Sealer(self._keys), limits=self.limits, clock=self.clock)
        try:
            saved = self._salvage(store)
        finally:
            store.close()
        aside = self._set_aside("damaged")
        fresh.rename(self.live)
        sync_folder(self.root)
        self.say(f"{saved} records were saved from what is now {aside.name}")
        return self._open()

    def _fresh(self) -> Path:
        """An empty folder beside the live store, where the next one is made whole before it takes its place."""
        fresh = self.root / _FRESH
        if fresh.exists():
            shutil.rmtree(fresh)
        fresh.mkdir(mode=0o700)
        sync_folder(self.root)
        return fresh

    def _salvage(self, store: Store) -> int:
        """Take over into `store` what the live one still holds; how many records."""
        found = Salvage(self.live / DATABASE, Sealer(self._keys))
        saved = 0
        for batch in batched(found.records(), _SALVAGE_BATCH):
            (result,) = store.apply([Append(batch)])
            if not isinstance(result, Appended):
                self.say(f"not all that was saved fits the new store: {result}")
                break
            saved += result.stored
        for ids in batched(found.ids(), _SALVAGE_BATCH):
            store.know(ids)
        store.adopt(found.erasures)
        return saved

    def set_aside(self) -> list[SetAside]:
        """The earlier stores that lie about."""
        found = []
        for folder in sorted(self.root.glob("set-aside-*")):
            reason = folder.name.rsplit("-", 1)[-1]
            size = sum(item.stat().st_size for item in folder.iterdir() if item.is_file())
            found.append(SetAside(folder, reason, size, ADVICE.get(reason, "")))
        return found

    def rotate(self) -> None:
        """Give the live store one more data key, used from its next opening on."""
        keyring = self._read_keyring() or Keyring()
        keyring.add(self.wrapper)
        save(self.live / _KEYS, keyring.encode())

    def _settle(self) -> None:
        """End what a power cut in `replace` interrupted: the new store is whole once the old one is set aside."""
        fresh = self.root / _FRESH
        if not fresh.exists():
            return
        if self.live.exists():
            shutil.rmtree(fresh)
        else:
            fresh.rename(self.live)
        sync_folder(self.root)

    def _open(self) -> Store:
        store = Store.open(self.live, Sealer(self._keys), limits=self.limits, clock=self.clock)
        store.set("keys", (self.live / _KEYS).read_text())
        return store

    def _unlock(self) -> dict[int, bytes]:
        """The live store's data keys; a new one where there is no store. Raises KeyLostError."""
        if not self.live.exists():
            self.live.mkdir(mode=0o700, parents=True)
            sync_folder(self.root)
        keyring = self._read_keyring()
        if keyring is None:
            if (self.live / DATABASE).exists():
                raise KeyLostError("keys.json is gone or damaged, and so is its copy")
            keyring = Keyring()
            keyring.add(self.wrapper)
            save(self.live / _KEYS, keyring.encode())
        return self._unwrap(keyring)

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

    def _read_keyring(self) -> Keyring | None:
        """From keys.json, else from its copy in the database."""
        try:
            return Keyring.decode((self.live / _KEYS).read_bytes())
        except (FileNotFoundError, KeyringDamagedError) as error:
            copy = _copy_of_keys(self.live / DATABASE)
            if copy is None:
                return None
            self.say(f"keys.json is restored from its copy in the database ({error})")
            save(self.live / _KEYS, copy.encode())
            return copy

    def _set_aside(self, reason: str) -> Path:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self.clock.wall() / 1000))
        target = self.root / f"set-aside-{stamp}-{reason}"
        number = 1
        while target.exists():
            number += 1
            target = self.root / f"set-aside-{stamp}.{number}-{reason}"
        self.live.rename(target)
        (target / "ballast").unlink(missing_ok=True)
        sync_folder(self.root)
        return target


def batched(items: Iterable[T], n: int) -> Iterator[tuple[T, ...]]:
    """Tuples of up to `n` (itertools.batched begins with Python 3.12)."""
    rest = iter(items)
    while batch := tuple(islice(rest, n)):
        yield batch


def _copy_of_keys(database: Path) -> Keyring | None:
    """The copy is plain JSON in a page of the database; it is looked for as text, so that no tree need be whole."""
    if not database.exists():
        return None
    if not database.stat().st_size:
        return None
    with database.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as raw:
        start = raw.find(b'{"format": ')
        text = raw[start : raw.find(b"]}", start) + 2] if start >= 0 else b""
    try:
        return Keyring.decode(text)
    except KeyringDamagedError:
        return None
