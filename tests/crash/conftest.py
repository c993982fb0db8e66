"""A disk of our own under SQLite: it keeps writes unsynced until xSync, and can forget, tear and reorder them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import apsw
import pytest

SECTOR = 512  # what a disk writes whole


@dataclass(frozen=True)
class Event:
    """Something done to a file: write (at, data), truncate (at), sync, delete."""

    kind: str
    path: str
    at: int = 0
    data: bytes = b""


@dataclass
class Images:
    """Files as they are on the platter: what was synced for certain, and what may or may not have reached it."""

    durable: dict[str, bytearray] = field(default_factory=dict)
    pending: dict[str, list[Event]] = field(default_factory=dict)

    def feed(self, event: Event) -> None:
        """One more thing happens."""
        if event.kind == "delete":
            self.durable.pop(event.path, None)
            self.pending.pop(event.path, None)
        elif event.kind == "sync":
            image = self.durable.setdefault(event.path, bytearray())
            for earlier in self.pending.pop(event.path, []):
                perform(image, earlier)
        else:
            self.pending.setdefault(event.path, []).append(event)

    def crash(self, dice: random.Random) -> dict[str, bytearray]:
        """The files after the power went: of what was not synced, some is there, some is torn, in any order."""
        files = {path: bytearray(image) for path, image in self.durable.items()}
        for path, events in self.pending.items():
            image = files.setdefault(path, bytearray())
            for event in chosen(events, dice):
                perform(image, event)
        return files


def chosen(events: list[Event], dice: random.Random) -> list[Event]:
    """Which of the unsynced events reached the platter, torn or whole, and in which order."""
    way = dice.randrange(5)
    if way == 0:
        return []
    if way == 1:
        return list(events)
    if way == 2:
        return events[: dice.randrange(len(events) + 1)]
    kept = [event for event in events if dice.random() < 0.5]
    if kept and way == 3:
        index = dice.randrange(len(kept))
        kept[index] = torn(kept[index], dice)
    if way == 4:
        dice.shuffle(kept)
    return kept


def torn(event: Event, dice: random.Random) -> Event:
    """Only the first or the last sectors of a write."""
    if event.kind != "write" or len(event.data) <= SECTOR:
        return event
    cut = SECTOR * dice.randrange(1, -(-len(event.data) // SECTOR))
    if dice.random() < 0.5:
        return Event("write", event.path, event.at, event.data[:cut])
    return Event("write", event.path, event.at + cut, event.data[cut:])


def perform(image: bytearray, event: Event) -> None:
    if event.kind == "truncate":
        del image[event.at :]
        return
    if len(image) < event.at:
        image.extend(bytes(event.at - len(image)))
    image[event.at : event.at + len(event.data)] = event.data


class Disk(apsw.VFS):
    """An SQLite VFS in memory. `events` is all that was done; `fail` may raise for an operation before it is done."""

    _numbers = count()

    def __init__(self, files: dict[str, bytearray] | None = None) -> None:
        self.name = f"disk{next(self._numbers)}"
        self.files: dict[str, bytearray] = files if files is not None else {}
        self.events: list[Event] = []
        self.most_bytes = 0
        self.fail: Callable[[str, str], None] = lambda _kind, _path: None
        super().__init__(self.name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        if path not in self.files:
            if not flags[0] & apsw.SQLITE_OPEN_CREATE:
                raise apsw.CantOpenError(path)
            self.files[path] = bytearray()
        flags[1] = flags[0]
        return File(self, path)

    def xFullPathname(self, name: str) -> str:  # noqa: N802
        return name

    def xAccess(self, path: str, _flags: int) -> bool:  # noqa: N802
        return path in self.files

    def xDelete(self, path: str, _sync: bool) -> None:  # noqa: N802
        self.files.pop(path, None)
        self.note(Event("delete", path))

    def xRandomness(self, n: int) -> bytes:  # noqa: N802
        return bytes(n)

    def xSleep(self, microseconds: int) -> int:  # noqa: N802
        return microseconds

    def xCurrentTimeInt64(self) -> int:  # noqa: N802
        return 212_000_000_000_000

    def note(self, event: Event) -> None:
        self.events.append(event)
        self.most_bytes = max(self.most_bytes, sum(map(len, self.files.values())))


class File(apsw.VFSFile):
    """One file of a Disk."""

    def __init__(self, disk: Disk, path: str) -> None:
        self._disk = disk
        self._path = path

    def _image(self) -> bytearray:
        return self._disk.files.setdefault(self._path, bytearray())

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        self._disk.fail("read", self._path)
        return bytes(self._image()[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._disk.fail("write", self._path)
        event = Event("write", self._path, offset, bytes(data))
        perform(self._image(), event)
        self._disk.note(event)

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self._disk.fail("truncate", self._path)
        event = Event("truncate", self._path, size)
        perform(self._image(), event)
        self._disk.note(event)

    def xSync(self, _flags: int) -> None:  # noqa: N802
        self._disk.fail("sync", self._path)
        self._disk.note(Event("sync", self._path))

    def xFileSize(self) -> int:  # noqa: N802
        return len(self._image())

    def xClose(self) -> None:  # noqa: N802
        pass

    def xLock(self, _level: int) -> None:  # noqa: N802
        pass

    def xUnlock(self, _level: int) -> None:  # noqa: N802
        pass

    def xCheckReservedLock(self) -> bool:  # noqa: N802
        return False

    def xFileControl(self, _op: int, _pointer: int) -> bool:  # noqa: N802
        return False

    def xSectorSize(self) -> int:  # noqa: N802
        return SECTOR

    def xDeviceCharacteristics(self) -> int:  # noqa: N802
        return apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE  # as SQLite takes every disk to be, unless told otherwise


@pytest.fixture
def new_disk() -> Iterator[Callable[..., Disk]]:
    """Makes disks, with given files or none, and lets go of them after the test."""
    made: list[Disk] = []

    def make(files: dict[str, bytearray] | None = None) -> Disk:
        made.append(Disk(files))
        return made[-1]

    yield make
    for disk in made:
        disk.unregister()


@pytest.fixture
def images() -> type[Images]:
    return Images


@pytest.fixture
def folder() -> Path:
    """Where a store on a Disk thinks it is."""
    return Path("/disk")
