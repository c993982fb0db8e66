"""A disk with no room left, for one file: SQLite is told of it by the very answer that ENOSPC becomes.

While it is full every write fails with SQLITE_FULL, as the operating system's layer of SQLite answers when write(2)
says ENOSPC; what follows (the rollback, the error of COMMIT) is SQLite's own doing. Reading, locking and syncing go on.
A real disk may still let SQLite write over blocks that it has already; here not even that, so that the fault bites at
once.
"""

from itertools import count

import apsw

_numbers = count(1)


class FullDisk(apsw.VFS):
    """A file system of SQLite's, by the name of `name`, which has room until `full` is set."""

    def __init__(self) -> None:
        self.name = f"localhub-full-disk-{next(_numbers)}"
        self.full = False
        super().__init__(self.name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802  SQLite's name
        """Open a file."""
        return _File(self, name, flags)


class _File(apsw.VFSFile):
    def __init__(self, disk: FullDisk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._disk = disk
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802  SQLite's name
        """Write, if there is room."""
        if self._disk.full:
            raise apsw.FullError(f"no space left on device: {len(data)} bytes at {offset}")
        super().xWrite(data, offset)
