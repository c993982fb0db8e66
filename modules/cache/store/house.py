"""Where stores live: the live one is opened, and one that cannot be is set aside, never deleted."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TypeVar

from modules.cache.keyring import KeyLostError, Wrapper, save, sync_folder
from modules.cache.operatorkey import OperatorKey
from modules.cache.sealing import Sealer
from modules.cache.store.clock import Clock
from modules.cache.store.errors import StoreDamagedError, StoreError, StoreForeignError
from modules.cache.store.keyfile import NAME, KeyFile
from modules.cache.store.opening import DATABASE
from modules.cache.store.salvage import Salvage
from modules.cache.store.state import Limits
from modules.cache.store.store import Append, Appended, Store
from modules.common.folder import sizes

T = TypeVar("T")

_FRESH = "store.new"
_SALVAGE_BATCH = 100
ADVICE = {
    "key": "restore the gateway's key store or module identity, stop the module and rename this folder to 'store'; "
    "or, where an operator's key was set: python -m modules.cache export --state THIS-FOLDER --private-key FILE",
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
    operator: OperatorKey | None = None
    keys: KeyFile = field(init=False)

    def __post_init__(self) -> None:
        self.keys = KeyFile(self.live, self.wrapper, self.say, self.sleep, self.patience_s)

    @property
    def live(self) -> Path:
        """The folder of the live store."""
        return self.root / "store"

    def open(self) -> Store:
        """The live store; a new one where there is none or the old one had to be set aside. Blocks.

        Raises WorkloadUnreachableError (nothing was touched: try again) and StoreBusyError.
        """
        self.keys.operator = self.operator
        self._settle()
        try:
            self.keys.unlock(self.live / DATABASE)
        except KeyLostError as error:
            self._set_aside("key")
            self.say(f"the key of the store cannot be had ({error}); a new store begins; {ADVICE['key']}")
            self.keys.unlock(self.live / DATABASE)
        try:
            return self._open()
        except (StoreDamagedError, StoreForeignError) as error:
            return self.replace(error)

    def replace(self, error: StoreError) -> Store:
        """Set the live store, which is closed, aside as damaged and begin a new one with what can be saved.

        Needs the keys that `open` unwrapped, and not the workload API. Raises StoreError or OSError where the disk does
        not allow it: then call it again.
        """
        if not self.live.exists():  # an earlier try came as far as setting it aside
            self._settle()
            return self._open()
        self.say(f"the store is damaged ({error}); a new one begins with what can be saved")
        (self.live / "ballast").unlink(missing_ok=True)  # the new store needs the room
        fresh = self._fresh()
        save(fresh / NAME, self.keys.text())
        store = Store.open(fresh, Sealer(self.keys.keys), limits=self.limits, clock=self.clock)
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
        found = Salvage(self.live / DATABASE, Sealer(self.keys.keys))
        saved = 0
        for batch in batched(found.records(), _SALVAGE_BATCH):
            (result,) = store.apply([Append(batch)])
            if not isinstance(result, Appended):
                self.say(f"not all that was saved fits the new store: {result}")
                break
            saved += result.stored
        for ids in batched(found.ids(), _SALVAGE_BATCH):
            if not store.know(ids):
                self.say("not all known ids fit the new store: what was delivered before may be accepted once more")
                break
        store.adopt(found.erasures)
        return saved

    def set_aside(self) -> list[SetAside]:
        """The earlier stores that lie about."""
        found = []
        for folder in sorted(self.root.glob("set-aside-*")):
            reason = folder.name.rsplit("-", 1)[-1]
            found.append(SetAside(folder, reason, sum(sizes(folder).values()), ADVICE.get(reason, "")))
        return found

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
        store = Store.open(self.live, Sealer(self.keys.keys), limits=self.limits, clock=self.clock)
        store.set("keys", self.keys.text())
        return store

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
