"""A disk of our own under SQLite: it keeps writes and names unsynced until they are synced, and can lose them.

A store is opened with `vfs=disk.name`. `disk.events` is all that was done; a `Platter` that is fed some of them is the
disk at that moment, and its `crash` says what is left when the power goes then: of what was not synced some is there,
some is torn, in any order. `disk.fail` may raise for an operation before it is done.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

import apsw

SECTOR = 512  # what a disk writes whole


@dataclass(frozen=True, slots=True)
class Event:
    """What was done: create, mkdir, write (at, data), truncate (at), sync, delete, rename (to), folder (sync names)."""

    kind: str
    path: str
    at: int = 0
    data: bytes = b""
    to: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """A name in a folder is given to a file or a folder (`node`), or to nothing; a renaming also takes one away."""

    folder: int
    name: str
    node: int | None
    before: tuple[int, str] | None = None

    def perform(self, names: dict[tuple[int, str], int]) -> None:
        """Do it, whole."""
        if self.before is not None:
            names.pop(self.before, None)
        if self.node is None:
            names.pop((self.folder, self.name), None)
        else:
            names[self.folder, self.name] = self.node


@dataclass(slots=True)
class Platter:
    """Files and names as they are for certain, and what may or may not have reached the disk.

    A folder that nobody is seen to make was there before.
    """

    durable: dict[int, bytearray] = field(default_factory=dict)  # by file, whatever its name
    pending: dict[int, list[Event]] = field(default_factory=dict)
    names: dict[tuple[int, str], int] = field(default_factory=dict)
    moves: list[Move] = field(default_factory=list)  # what was done to names since they were synced
    current: dict[tuple[int, str], int] = field(default_factory=dict)  # the names as a process sees them
    folders: set[int] = field(default_factory=lambda: {0})
    made: int = 0

    def feed(self, event: Event) -> None:
        """One more thing happens."""
        folder, name = self._place(event.path)
        if event.kind in {"create", "mkdir"}:
            self.made += 1
            if event.kind == "mkdir":
                self.folders.add(self.made)
            self._move(Move(folder, name, self.made))
        elif event.kind == "delete":
            self._move(Move(folder, name, None))
        elif event.kind == "rename":
            self._move(Move(*self._place(event.to), self.current[folder, name], (folder, name)))
        elif event.kind == "folder":
            synced = self.current[folder, name] if event.path else 0
            for move in self.moves:
                if move.folder == synced:
                    move.perform(self.names)
            self.moves = [move for move in self.moves if move.folder != synced]
        elif event.kind == "sync":
            node = self.current[folder, name]
            image = self.durable.setdefault(node, bytearray())
            for earlier in self.pending.pop(node, []):
                perform(image, earlier)
        else:
            self.pending.setdefault(self.current[folder, name], []).append(event)

    def _place(self, path: str) -> tuple[int, str]:
        """The folder that a name is in, and the name there."""
        *folders, name = path.split("/")
        node = 0
        for part in folders:
            if (node, part) not in self.current:
                self.made += 1
                self.folders.add(self.made)
                self.current[node, part] = self.names[node, part] = self.made
            node = self.current[node, part]
        return node, name

    def _move(self, move: Move) -> None:
        self.moves.append(move)
        move.perform(self.current)

    def crash(self, dice: random.Random) -> dict[str, bytearray]:
        """The files by name after the power went."""
        names = dict(self.names)
        for move in chosen_moves(self.moves, dice):
            move.perform(names)
        files = {}
        for path, node in self._walk(names, 0, ""):
            files[path] = image = bytearray(self.durable.get(node, b""))
            for event in chosen(self.pending.get(node, []), dice):
                perform(image, event)
        return files

    def _walk(self, names: dict[tuple[int, str], int], folder: int, prefix: str) -> Iterator[tuple[str, int]]:
        for (place, name), node in names.items():
            if place == folder and node in self.folders:
                yield from self._walk(names, node, f"{prefix}{name}/")
            elif place == folder:
                yield prefix + name, node


def parent(path: str) -> str:
    """The folder that a name is in."""
    return path.rpartition("/")[0]


def chosen_moves(moves: list[Move], dice: random.Random) -> list[Move]:
    """Which of the unsynced creations, deletions and renames reached the disk: each whole or not at all."""
    way = dice.randrange(4)
    if way == 0:
        return []
    if way == 1:
        return moves
    if way == 2:
        return moves[: dice.randrange(len(moves) + 1)]
    return [item for item in moves if dice.random() < 0.5]


def chosen(events: list[Event], dice: random.Random) -> list[Event]:
    """Which of a file's unsynced events reached the disk, torn or whole, and in which order."""
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
        return replace(event, data=event.data[:cut])
    return replace(event, at=event.at + cut, data=event.data[cut:])


def perform(image: bytearray, event: Event) -> None:
    """Do to a file what a write or a truncation does."""
    if event.kind == "truncate":
        del image[event.at :]
        image.extend(bytes(event.at - len(image)))
        return
    if len(image) < event.at:
        image.extend(bytes(event.at - len(image)))
    image[event.at : event.at + len(event.data)] = event.data


class Disk(apsw.VFS):
    """An SQLite VFS in memory, as safe as SQLite's own for Unix: it syncs a folder where that one does, and no more."""

    _numbers = count()

    def __init__(self, files: dict[str, bytearray] | None = None) -> None:
        self.name = f"disk{next(self._numbers)}"
        self.files: dict[str, bytearray] = files if files is not None else {}
        self.events: list[Event] = []
        self.most_bytes = 0
        self.fail: Callable[[str, str], None] = lambda _kind, _path: None
        super().__init__(self.name, "")
        for path, image in self.files.items():  # what it begins with is safe
            for event in (Event("create", path), Event("write", path, 0, bytes(image)), Event("sync", path)):
                self.events.append(event)
            self.events.append(Event("folder", parent(path)))

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        self.fail("open", path)
        new = path not in self.files
        if new:
            if not flags[0] & apsw.SQLITE_OPEN_CREATE:
                raise apsw.CantOpenError(path)
            self.files[path] = bytearray()
            self.note(Event("create", path))
        flags[1] = flags[0]
        return File(self, path, new=new and not flags[0] & apsw.SQLITE_OPEN_MAIN_DB)

    def xFullPathname(self, name: str) -> str:  # noqa: N802
        return name

    def xAccess(self, path: str, _flags: int) -> bool:  # noqa: N802
        return path in self.files

    def xDelete(self, path: str, sync: bool) -> None:  # noqa: N802
        self.fail("delete", path)
        if path not in self.files:
            raise apsw.IOError(path)
        self.files.pop(path)
        self.note(Event("delete", path))
        if sync:
            self.note(Event("folder", parent(path)))

    def xRandomness(self, n: int) -> bytes:  # noqa: N802
        return bytes(n)

    def xSleep(self, microseconds: int) -> int:  # noqa: N802
        return microseconds

    def xCurrentTimeInt64(self) -> int:  # noqa: N802
        return 212_000_000_000_000

    def note(self, event: Event) -> None:
        """Remember what was done."""
        self.events.append(event)
        self.most_bytes = max(self.most_bytes, sum(map(len, self.files.values())))


class File(apsw.VFSFile):
    """One file of a Disk. The first sync of a new journal or log syncs its name too."""

    def __init__(self, disk: Disk, path: str, *, new: bool) -> None:
        self._disk = disk
        self._path = path
        self._new = new

    def _image(self) -> bytearray:
        return self._disk.files[self._path]

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
        if self._new:
            self._disk.note(Event("folder", parent(self._path)))
            self._new = False

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


def crashes(
    events: Sequence[Event], places: Iterable[int], dice: random.Random
) -> Iterator[tuple[int, dict[str, bytearray]]]:
    """Each of `places` (numbers of events done, rising) with the files that are left when the power goes there."""
    platter, fed = Platter(), 0
    for place in places:
        while fed < place:
            platter.feed(events[fed])
            fed += 1
        yield place, platter.crash(dice)
