"""Which packages are loaded, and what happens when one does not load: the last good one goes on.

A marker is on disk while a package is being loaded for the first time. A start that finds it there knows that the last
attempt took the whole module with it, and begins with the last good package instead.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from modules.common.snapshot import Snapshot
from modules.inference.card import CardError, read_card
from modules.inference.engine import Engine
from modules.inference.errors import ModelError, without_paths
from modules.inference.gate import Gate
from modules.inference.packages import Entry, adapted
from modules.inference.settings import Package

log = logging.getLogger(__name__)

SUSPECT: Final = 2  # failures without a long good run between, after which the last good package takes over
FAILURES: Final = 6  # in a row, after which a model without one is left alone until it is replaced
TOOK_DOWN: Final = "loading it took the module down last time"
REMEMBERED: Final = 2  # packages that loaded well, of each name


class Loading:
    """The entries by name, loaded through the engine."""

    def __init__(self, engine: Engine, state: Path, gate: Gate | None = None) -> None:
        self.entries: dict[str, Entry] = {}
        self.trying: str | None = None  # name of the package that is being loaded now
        self._engine = engine
        self._gate = gate or Gate()
        self._good = Snapshot(state / "good")
        self._trying = Snapshot(state / "trying")
        self._suspect: str | None = _read(self._trying).get("folder")
        self._loaded_well: dict[str, list[str]] = _read(self._good)  # by name, the newest first

    async def apply(self, wanted: Mapping[str, Package], *, anew: bool = False) -> None:
        """Load what is new or changed, forget what is gone; the rest goes on untouched unless `anew`.

        While models are at work, a new one is loaded in a child beside theirs and exchanged between two messages.
        """
        working = bool(self.entries) and not anew
        async with self._gate.alone():
            for name in [name for name in self.entries if name not in wanted]:
                del self.entries[name]
                await self._engine.drop(name)
        for name, package in wanted.items():
            before = self.entries.get(name)
            if before is not None and before.wanted == package and not anew:
                continue
            if working:
                await self._exchange(before, Entry(name, package))
            else:
                self.entries[name] = await self._load(Entry(name, package))
        ordered = {name: self.entries[name] for name in wanted}
        self.entries.clear()
        self.entries.update(ordered)

    @property
    def folders(self) -> set[Path]:
        """Packages in use, and the last good ones."""
        good = {Path(each) for folders in self._loaded_well.values() for each in folders}
        return good | {entry.folder for entry in self.entries.values()}

    async def failed(self, entry: Entry, error: Exception) -> None:
        """A model took the child with it, hung, or answered what is no answer.

        Once can be the machine's fault. The second time without a long good run between, the last good package takes
        its place, so that what it was asked is answered; where there is none it may go on, for the input may be to
        blame, until it has failed too often in a row.
        """
        entry.failed()
        log.warning("model %s: %s", entry.name, error)
        if entry.lately < SUSPECT:
            return
        because = f"left alone after {entry.lately} failures: {without_paths(error)}"
        if await self._try_last_good(entry, because):
            entry.forgiven()
        elif entry.failures >= FAILURES:
            entry.error = because
            log.error("model %s is %s", entry.name, because)

    async def _load(self, entry: Entry) -> Entry:
        folder = entry.folder
        if str(folder) == self._suspect:
            entry.error = TOOK_DOWN
        elif await self._try(entry, folder):
            self._remember(entry.name, folder)
            return entry
        log.error("model %s does not load: %s", entry.name, entry.error)
        await self._try_last_good(entry, entry.error)
        return entry

    async def _exchange(self, before: Entry | None, entry: Entry) -> None:
        """Load beside what works; where that fails, what works goes on."""
        folder = entry.folder
        if str(folder) == self._suspect:
            entry.error = TOOK_DOWN
        elif await self._try_beside(entry, folder):
            self._remember(entry.name, folder)
            return
        log.error("model %s does not load: %s", entry.name, entry.error)
        if before is None or not before.usable:
            await self._try_last_good(entry, entry.error)
            self.entries[entry.name] = entry
            return
        because, entry.error, entry.card = entry.error, "", before.card
        entry.loaded = {**before.loaded, "instead_of": folder.name, "because": because}
        self.entries[entry.name] = entry

    async def _try_beside(self, entry: Entry, folder: Path) -> bool:
        self._mark(entry.name, folder)
        try:
            card, fits = read_card(folder), False
            while not fits:
                other, found = await self._engine.beside(entry.name, folder, entry.wanted.orders)
                async with self._gate.alone():
                    fits = await self._engine.become(other, entry.name)
                    if fits:
                        entry.loads(adapted(card, entry.wanted), found)
                        self.entries[entry.name] = entry
        except (CardError, ModelError) as error:
            log.warning("model %s in %s: %s", entry.name, folder, error)
            entry.error = without_paths(error, folder)
            return False
        finally:
            self._unmark()
        log.info("model %s: %s %s, %d golden cases", entry.name, card.id, found["precision"], found["golden_cases"])
        return True

    async def _try_last_good(self, entry: Entry, because: str) -> bool:
        """What loaded well before, in place of the package that the settings name."""
        good = next((each for each in self._loaded_well.get(entry.name, ()) if Path(each) != entry.folder), None)
        if good is None:
            return False
        if not await self._try(entry, Path(good)):
            log.error("model %s: the last good one, %s, does not load either: %s", entry.name, good, entry.error)
            entry.error = because
            return False
        entry.loaded = {**entry.loaded, "instead_of": entry.folder.name, "because": because}
        log.warning("model %s goes on with the last good one, %s", entry.name, good)
        return True

    async def _try(self, entry: Entry, folder: Path) -> bool:
        self._mark(entry.name, folder)
        try:
            card = read_card(folder)
            found = await self._engine.load(entry.name, folder, entry.wanted.orders)
        except (CardError, ModelError) as error:
            log.warning("model %s in %s: %s", entry.name, folder, error)
            entry.error = without_paths(error, folder)
            return False
        finally:
            self._unmark()
        entry.loads(adapted(card, entry.wanted), found)
        log.info("model %s: %s %s, %d golden cases", entry.name, card.id, found["precision"], found["golden_cases"])
        return True

    def _mark(self, name: str, folder: Path) -> None:
        self._trying.save(orjson.dumps({"folder": str(folder)}))
        self.trying = name

    def _unmark(self) -> None:
        self.trying = None
        self._trying.save(b"{}")

    def _remember(self, name: str, folder: Path) -> None:
        """The one before is kept too: a package may load well and fail at work."""
        before = self._loaded_well.get(name, [])
        if before[:1] != [str(folder)]:
            self._loaded_well[name] = [str(folder), *(each for each in before if each != str(folder))][:REMEMBERED]
            self._good.save(orjson.dumps(self._loaded_well))


def _read(snapshot: Snapshot) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(snapshot.load() or b"{}")
    return found
