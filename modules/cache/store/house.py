"""Where stores live: the live one is opened, and one that cannot be is set aside, never deleted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from modules.cache.keyring import Keyring, KeyringDamagedError, Wrapper, save, sync_folder
from modules.cache.sealing import Sealer
from modules.cache.store.clock import Clock
from modules.cache.store.errors import StoreDamagedError, StoreError
from modules.cache.store.salvage import salvage
from modules.cache.store.state import Limits
from modules.cache.store.store import DATABASE, Append, Store
from modules.cache.workload import WorkloadRefusedError

_KEYS = "keys.json"
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
    """The state folder: `store/` and what was set aside. `say` is told, in one line, of everything out of the ordinary."""

    root: Path
    wrapper: Wrapper
    say: Callable[[str], None]
    limits: Limits = field(default_factory=Limits)
    clock: Clock = field(default_factory=Clock)
    patience_s: float = 60.0
    sleep: Callable[[float], None] = time.sleep

    @property
    def live(self) -> Path:
        """The folder of the live store."""
        return self.root / "store"

    def open(self) -> Store:
        """The live store; a new one where there is none or the old one had to be set aside.

        Blocks while the workload API cannot be reached (WorkloadUnreachableError after one try is the caller's to repeat).
        """
        try:
            sealer = self._sealer()
        except WorkloadRefusedError as error:
            self._set_aside("key")
            self.say(f"the key of the store cannot be unwrapped ({error}); a new store begins; {ADVICE['key']}")
            sealer = self._sealer()
        try:
            return self._open(sealer)
        except StoreDamagedError as error:
            return self.replace(error)

    def replace(self, error: StoreDamagedError) -> Store:
        """Set the live store aside as damaged and begin a new one with what can be saved. The old one must be closed."""
        keyring = self._read_keyring()
        aside = self._set_aside("damaged")
        self.say(f"the store is damaged ({error}); it is now {aside.name}")
        if keyring is None:
            sealer, records = self._sealer(), []
        else:
            self.live.mkdir(mode=0o700)
            save(self.live / _KEYS, keyring.encode())
            sealer = self._sealer()
            records = [item.record for item in salvage(aside / DATABASE, sealer)]
        store = self._open(sealer)
        saved = 0
        for start in range(0, len(records), _SALVAGE_BATCH):
            batch = records[start : start + _SALVAGE_BATCH]
            (result,) = store.apply([Append(batch)])
            if isinstance(result, StoreError):
                self.say(f"not all that was saved fits the new store: {result}")
                break
            saved += len(batch)
        self.say(f"{saved} records were saved from {aside.name}")
        return store

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

    def _open(self, sealer: Sealer) -> Store:
        store = Store.open(self.live, sealer, limits=self.limits, clock=self.clock)
        store.set("keys", (self.live / _KEYS).read_text())
        return store

    def _sealer(self) -> Sealer:
        """With the live store's keys unwrapped; a new key where there is no store."""
        self.live.mkdir(mode=0o700, parents=True, exist_ok=True)
        keyring = self._read_keyring()
        if keyring is None:
            if (self.live / DATABASE).exists():
                raise WorkloadRefusedError("keys.json is gone or damaged, and so is its copy", 0)
            keyring = Keyring()
            keyring.add(self.wrapper)
            save(self.live / _KEYS, keyring.encode())
        return Sealer(self._unwrap(keyring))

    def _unwrap(self, keyring: Keyring) -> dict[int, bytes]:
        """Patiently: the key service may only be starting, and its refusal then looks no different."""
        waited = 0.0
        while True:
            try:
                return keyring.unwrap(self.wrapper)
            except WorkloadRefusedError:
                if waited >= self.patience_s:
                    raise
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


def _copy_of_keys(database: Path) -> Keyring | None:
    """The copy is plain JSON in a page of the database; it is looked for as text, so that no tree need be whole."""
    if not database.exists():
        return None
    raw = database.read_bytes()
    start = raw.find(b'{"format": ')
    if start < 0:
        return None
    end = raw.find(b"]}", start)
    try:
        return Keyring.decode(raw[start : end + 2])
    except KeyringDamagedError:
        return None
