"""A real folder in which all that is done is noted, and nothing is synced: SQLite's files and ours alike.

While a recorder is on, SQLite's default VFS and the calls of `os` by which our own files are made tell it of each
write, truncation, sync, creation, deletion and renaming under its folder. `crashed_folders` lays out what a power cut
may leave of it, place by place.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

import apsw

from tests.crash.disk import Event, crashes, parent

_numbers = count()


class Recorder:
    """Notes in `events` what is done under `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.events: list[Event] = []
        self._open: dict[int, str] = {}
        self.names: set[str] = set()

    def path(self, path: Any) -> str | None:
        """The name of a path under the root, "" for the root itself; None for any other."""
        text = os.path.realpath(os.fspath(path))
        root = os.path.realpath(self.root)
        return text.removeprefix(root).lstrip("/") if text == root or text.startswith(root + "/") else None

    def note(self, event: Event) -> None:
        self.events.append(event)

    def make(self, name: str, kind: str = "create") -> None:
        """A file or a folder is there; an event where it is new."""
        if name not in self.names:
            self.names.add(name)
            self.note(Event(kind, name))

    def gone(self, name: str) -> None:
        self.names.discard(name)
        self.note(Event("delete", name))

    # The calls of `os`, each done and then noted.

    def open(self, path: Any, flags: int, mode: int = 0o777, **rest: Any) -> int:
        descriptor = _OS["open"](path, flags, mode, **rest)
        name = self.path(path) if isinstance(path, (str, os.PathLike)) else None
        if name is not None:
            self._open[descriptor] = name
            if name and not Path(path).is_dir():
                self.make(name)
                if flags & os.O_TRUNC:
                    self.note(Event("truncate", name, 0))
        return int(descriptor)

    def close(self, descriptor: int) -> None:
        self._open.pop(descriptor, None)
        _OS["close"](descriptor)

    def write(self, descriptor: int, data: Any) -> int:
        name = self._open.get(descriptor)
        if name is not None:
            self.note(Event("write", name, os.lseek(descriptor, 0, os.SEEK_CUR), bytes(data)))
        return int(_OS["write"](descriptor, data))

    def ftruncate(self, descriptor: int, size: int) -> None:
        if (name := self._open.get(descriptor)) is not None:
            self.note(Event("truncate", name, size))
        _OS["ftruncate"](descriptor, size)

    def posix_fallocate(self, descriptor: int, offset: int, size: int) -> None:
        _OS["posix_fallocate"](descriptor, offset, size)
        if (name := self._open.get(descriptor)) is not None:
            self.note(Event("truncate", name, os.fstat(descriptor).st_size))

    def fsync(self, descriptor: int) -> None:
        name = self._open.get(descriptor)
        if name is None:
            _OS["fsync"](descriptor)
        else:
            folder = (self.root / name).is_dir()
            self.note(Event("folder" if folder else "sync", name))

    def unlink(self, path: Any, **rest: Any) -> None:
        _OS["unlink"](path, **rest)
        if (name := self.path(Path(path).parent)) is not None:
            self.gone(f"{name}/{Path(path).name}".lstrip("/"))

    def rename(self, source: Any, target: Any, **rest: Any) -> None:
        before = self.path(source)
        _OS["rename"](source, target, **rest)
        after = self.path(target)
        if before is not None and after is not None:
            self.names = {_moved(name, before, after) for name in self.names}
            self.note(Event("rename", before, to=after))

    def mkdir(self, path: Any, mode: int = 0o777, **rest: Any) -> None:
        _OS["mkdir"](path, mode, **rest)
        if name := self.path(path):
            self.make(name, "mkdir")

    def rmdir(self, path: Any, **rest: Any) -> None:
        name = self.path(path)
        _OS["rmdir"](path, **rest)
        if name:
            self.gone(name)


_CALLS = ("open", "close", "write", "ftruncate", "posix_fallocate", "fsync", "unlink", "mkdir", "rmdir", "rename")
_OS: dict[str, Callable[..., Any]] = {name: getattr(os, name) for name in _CALLS}


def _moved(name: str, before: str, after: str) -> str:
    return after + name.removeprefix(before) if name == before or name.startswith(before + "/") else name


class RecordingVFS(apsw.VFS):
    """SQLite's own VFS, noted."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.name = f"recorder{next(_numbers)}"
        super().__init__(self.name, "unix", makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        known = None if path is None else self.recorder.path(path)
        if known is None:
            return super().xOpen(name, flags)
        log = bool(flags[0] & (apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL))
        new = known not in self.recorder.names
        file = RecordingFile(self.recorder, known, name, flags, new=new and log)
        self.recorder.make(known)
        return file

    def xDelete(self, path: str, sync: bool) -> None:  # noqa: N802
        known = self.recorder.path(path)
        super().xDelete(path, False)
        if known is not None:
            self.recorder.gone(known)
            if sync:
                self.recorder.note(Event("folder", parent(known)))


class RecordingFile(apsw.VFSFile):
    """One file of it, which is never synced for real."""

    def __init__(self, recorder: Recorder, known: str, name: Any, flags: list[int], *, new: bool) -> None:
        self._recorder = recorder
        self._known = known
        self._new = new
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        super().xWrite(data, offset)
        self._recorder.note(Event("write", self._known, offset, bytes(data)))

    def xTruncate(self, size: int) -> None:  # noqa: N802
        super().xTruncate(size)
        self._recorder.note(Event("truncate", self._known, size))

    def xSync(self, _flags: int) -> None:  # noqa: N802
        self._recorder.note(Event("sync", self._known))
        if self._new:
            self._recorder.note(Event("folder", parent(self._known)))
            self._new = False


@contextmanager
def recording(root: Path) -> Iterator[Recorder]:
    """A recorder of `root`, a folder that is there and empty."""
    recorder = Recorder(root)
    vfs = RecordingVFS(recorder)
    replaced = {name: getattr(recorder, name) for name in _CALLS} | {
        "replace": recorder.rename,
        "fdatasync": recorder.fsync,
    }
    try:
        with patch.multiple(os, **replaced):
            yield recorder
    finally:
        vfs.unregister()


def crashed_folders(
    recorder: Recorder, places: Iterable[int], dice: random.Random, folder: Path
) -> Iterator[tuple[int, Path]]:
    """Each of `places` with `folder`, which then holds what is left when the power goes there, and is gone after it."""
    for place, files in crashes(recorder.events, places, dice):
        folder.mkdir()
        lay_out(files, folder)
        yield place, folder
        shutil.rmtree(folder)


def lay_out(files: dict[str, bytearray], root: Path) -> None:
    """Files by name into an empty folder."""
    for name, image in files.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(image)
