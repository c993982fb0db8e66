"""The output of one process in a file that cannot grow without bound: `NAME.log`, and `NAME.log.1` before it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

LIMIT_BYTES = 2 * 1024 * 1024  # two files of it: some 30,000 lines a process


class LogFile:
    """Appends bytes as they come; at `limit` bytes the file becomes `.1` and a new one begins."""

    def __init__(self, path: Path, *, limit: int = LIMIT_BYTES) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._limit = path, limit
        self._fd, self._size = self._open()

    def write(self, data: bytes) -> None:
        """Append. A full disk loses output, not the process: what cannot be written is dropped."""
        if self._size + len(data) > self._limit and self._size:
            os.close(self._fd)
            self._path.replace(older(self._path))
            self._fd, self._size = self._open()
        try:
            self._size += os.write(self._fd, data)
        except OSError:
            self._size = self._limit  # try a fresh file, which frees the older one, with the next output

    def close(self) -> None:
        """No more output."""
        os.close(self._fd)

    def _open(self) -> tuple[int, int]:
        fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        return fd, os.fstat(fd).st_size


def older(path: Path) -> Path:
    """Where the output before this file went."""
    return path.with_name(f"{path.name}.1")


def tail(path: Path, lines: int) -> list[str]:
    """The last `lines` lines of a log, the older file included; none when there is no log."""
    if not path.exists():
        return []
    with path.open("rb") as file:
        return last(file, path, lines)


def last(file: BinaryIO, path: Path, lines: int) -> list[str]:
    """The same of a log that is open; what is read from the file afterwards follows on these lines."""
    found = file.read().splitlines()
    if len(found) < lines and older(path).exists():
        found = [*older(path).read_bytes().splitlines(), *found]
    return [line.decode(errors="replace") for line in found[-lines:]] if lines else []
