"""Which packages are loaded, and what happens when one does not load: the last good one goes on.

A marker is on disk while a package is being loaded for the first time. A start that finds it there knows that the last
attempt took the whole module with it, and begins with the last good package instead.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import orjson

from modules.common.snapshot import Snapshot
from modules.inference.card import CardError, read_card
from modules.inference.engine import Engine
from modules.inference.errors import ModelError
from modules.inference.packages import Entry, adapted
from modules.inference.settings import Package

log = logging.getLogger(__name__)

CRASHES: Final = 3  # in a row, after which a model is left alone until it is replaced


class Loading:
    """The entries by name, loaded through the engine."""

    def __init__(self, engine: Engine, state: Path) -> None:
        self.entries: dict[str, Entry] = {}
        self._engine = engine
        self._good = Snapshot(state / "good")
        self._trying = Snapshot(state / "trying")
        self._suspect = self._read(self._trying).get("folder")
        self._last_good = self._read(self._good)

    async def apply(self, wanted: Mapping[str, Package], *, anew: bool = False) -> None:
        """Load what is new or changed, forget what is gone; the rest goes on untouched unless `anew`."""
        for name in [name for name in self.entries if name not in wanted]:
            await self._engine.drop(name)
            del self.entries[name]
        fresh: dict[str, Entry] = {}
        for name, package in wanted.items():
            before = self.entries.get(name)
            if before is None or before.wanted != package or anew:
                fresh[name] = await self._load(Entry(name, package))
            else:
                fresh[name] = before
        self.entries.clear()
        self.entries.update(fresh)

    def crashed(self, entry: Entry, error: Exception) -> None:
        """A model took the child with it, or hung. After a few times in a row it is not asked any more."""
        entry.crashes += 1
        log.warning("model %s: %s", entry.name, error)
        if entry.crashes >= CRASHES:
            entry.error = f"left alone after {entry.crashes} crashes in a row: {error}"
            log.error("model %s is %s", entry.name, entry.error)

    async def fall_back(self, entry: Entry) -> None:
        """Put the last good package in place of one that has been left alone, where there is another."""
        good = self._last_good.get(entry.name)
        if good and Path(good) != entry.folder and await self._try(entry, Path(good)):
            entry.crashes = 0
            log.warning("model %s goes on with %s", entry.name, good)

    async def _load(self, entry: Entry) -> Entry:
        folder = entry.folder
        if str(folder) == self._suspect:
            entry.error = "loading it took the module down last time"
        elif await self._try(entry, folder):
            self._remember(entry.name, folder)
            return entry
        log.error("model %s in %s: %s", entry.name, folder, entry.error)
        failed = entry.error
        good = self._last_good.get(entry.name)
        if good and Path(good) != folder and await self._try(entry, Path(good)):
            entry.loaded = {**entry.loaded, "instead_of": str(folder), "because": failed}
            log.warning("model %s goes on with the last good one, %s", entry.name, good)
        return entry

    async def _try(self, entry: Entry, folder: Path) -> bool:
        self._trying.save(orjson.dumps({"folder": str(folder)}))
        try:
            card = read_card(folder)
            entry.loaded = await self._engine.load(entry.name, folder, entry.wanted.orders)
        except (CardError, ModelError) as error:
            entry.error = str(error)
            return False
        finally:
            self._trying.save(b"{}")
        entry.card, entry.error = adapted(card, entry.wanted), ""
        log.info("model %s: %s %s, %d golden cases", entry.name, card.id, entry.loaded["precision"], _cases(entry))
        return True

    def _remember(self, name: str, folder: Path) -> None:
        if self._last_good.get(name) != str(folder):
            self._last_good[name] = str(folder)
            self._good.save(orjson.dumps(self._last_good))

    @staticmethod
    def _read(snapshot: Snapshot) -> dict[str, str]:
        found: dict[str, str] = orjson.loads(snapshot.load() or b"{}")
        return found


def _cases(entry: Entry) -> int:
    return int(entry.loaded["golden_cases"])
