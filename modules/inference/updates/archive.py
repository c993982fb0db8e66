"""A package's archive: a flat tar of plain files. Taken apart without trusting it, signed or not."""

import re
import tarfile
from pathlib import Path
from typing import Final

from modules.inference.updates.disk import sync
from modules.inference.updates.reasons import Refused

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_FILES: Final = 32


def unpack(archive: Path, into: Path, most: int) -> None:
    """Write the archive's files into `into`, an empty folder, at most `most` bytes of them, and sync them.

    Raises Refused (archive) for whatever is no flat archive of plain files.
    """
    try:
        with tarfile.open(archive, "r:") as tar:
            _take(tar, into, most)
    except (tarfile.TarError, EOFError, UnicodeError, ValueError) as error:
        raise Refused("archive", f"no archive of a package: {error}") from error
    sync(into)


def _take(tar: tarfile.TarFile, into: Path, most: int) -> None:
    total, names = 0, set[str]()
    for member in tar:
        if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
            raise Refused("archive", f"{member.name[:100]!r} is no plain file")
        if not _NAME.fullmatch(member.name) or member.name in names:
            raise Refused("archive", f"{member.name[:100]!r} cannot be the name of a package's file")
        names.add(member.name)
        total += member.size
        if total > most or len(names) > _FILES:
            raise Refused("archive", f"more than {_FILES} files or {most} bytes")
        source = tar.extractfile(member)
        assert source is not None  # plain files have content
        path = into / member.name
        with path.open("xb") as file:
            while chunk := source.read(1 << 20):
                file.write(chunk)
        sync(path)
