"""A file of zeros that is given up when the disk is full, so that deleting and checkpointing still work."""

from __future__ import annotations

import os
from pathlib import Path


class Ballast:
    """`size` bytes at `path`, allocated for certain (posix_fallocate), or given up."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size
        self.held = False

    def take(self) -> bool:
        """Allocate it; False when the disk does not have the room."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(descriptor).st_size > self._size:
                os.ftruncate(descriptor, self._size)
            os.posix_fallocate(descriptor, 0, self._size)
            self.held = True
        except OSError:
            self.held = False
        finally:
            os.close(descriptor)
        if not self.held:
            self.give_up()
        return self.held

    def resized(self, size: int) -> Ballast:
        """The same file at another size; `take` makes it so."""
        return Ballast(self._path, size)

    def give_up(self) -> None:
        """Let the database have its room."""
        self._path.unlink(missing_ok=True)
        self.held = False
