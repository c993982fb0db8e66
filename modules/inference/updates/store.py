"""Verified packages on disk: `packages/TASK/NAME/VERSION/`, and beside it `VERSION.verified` with each file's SHA-256.

The mark is written last and synced; a folder without one is what a kill has left, and is as good as none. Blocks.
"""

import hashlib
import logging
import shutil
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

import orjson

from modules.common.snapshot import Snapshot
from modules.inference.card import CardError, read_card
from modules.inference.updates.archive import unpack
from modules.inference.updates.disk import sync
from modules.inference.updates.names import parts_of
from modules.inference.updates.reasons import Refused

log = logging.getLogger(__name__)

_MARK: Final = ".verified"


class Store:
    """The packages under `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, target: str) -> Path | None:
        """The folder of a package that was verified, and whose files are still what they were; None: there is none."""
        path = self._folder / target
        mark = self._mark(target).load()
        if mark is None or not path.is_dir():
            return None
        files: dict[str, str] = orjson.loads(mark)
        try:
            sound = all(_digest(path / name) == wanted for name, wanted in files.items())
        except OSError as error:
            log.warning("package %s cannot be read: %s", target, error)
            return None
        if not sound:
            log.error("package %s has changed on disk since it was verified: it is fetched again", target)
        return path if sound else None

    def install(self, target: str, archive: Path, most: int) -> Path:
        """Unpack a verified archive beside the others and mark it. Raises Refused (archive, card)."""
        path = self._folder / target
        fresh = path.with_name(f"{path.name}.new")
        self.remove(target)
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        try:
            unpack(archive, fresh, most)
            _check_card(fresh, target)
        except Refused:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
        files = {each.name: _digest(each) for each in sorted(fresh.iterdir())}
        fresh.rename(path)
        sync(path.parent)
        self._mark(target).save(orjson.dumps(files))
        return path

    def remove(self, target: str) -> None:
        """Forget a package: the mark goes first."""
        mark = self._mark(target).path
        for each in (mark, mark.with_name(f"{mark.name}.previous")):
            each.unlink(missing_ok=True)
        shutil.rmtree(self._folder / target, ignore_errors=True)

    def targets(self) -> list[str]:
        """All that are marked, the oldest first."""
        marked = []
        for mark in self._folder.glob(f"*/*/*{_MARK}"):
            with suppress(FileNotFoundError):  # removed meanwhile: one process brings packages, another lets them go
                marked.append((mark.stat().st_mtime, str(mark.relative_to(self._folder)).removesuffix(_MARK)))
        return [target for _, target in sorted(marked)]

    def bound(self, used: Collection[str], spare: int) -> list[str]:
        """Remove the oldest that are not used until `spare` of those are left; which ones went."""
        idle = [each for each in self.targets() if each not in used]
        gone = idle[: max(0, len(idle) - spare)]
        for each in gone:
            self.remove(each)
        return gone

    def target_of(self, folder: Path) -> str | None:
        """The package that a folder of this store holds; None for a folder elsewhere."""
        return str(folder.relative_to(self._folder)) if folder.is_relative_to(self._folder) else None

    def _mark(self, target: str) -> Snapshot:
        return Snapshot(self._folder / f"{target}{_MARK}")


def _check_card(folder: Path, target: str) -> None:
    """A signed package under another's name would be run as what it is not."""
    try:
        card = read_card(folder)
    except CardError as error:
        raise Refused("card", str(error)) from error
    if (card.task, card.name, card.version) != parts_of(target):
        raise Refused("card", f"{target} holds the card of {card.task}/{card.id}")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
