"""A folder of pictures as a source."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import Field

from modules.camera.frame import BadPicture, Frame, decode
from modules.camera.sources.source import Pace, SourceError, SourceSettings

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"})
LARGEST_BYTES = 64_000_000  # a file is read whole


class Folder(SourceSettings):
    """Pictures of a folder and the folders below it, in the order of their names, each one an item of its own."""

    type: Literal["folder"]
    path: Path = Field(title="Folder", description="read anew at each round", examples=["/pictures"])
    rate_hz: float = Field(5.0, gt=0, le=200, title="Pictures per second")
    repeat: bool = Field(True, title="Begin again at the end")
    files: tuple[str, ...] = Field((), title="Only these", description="paths below the folder; none means all")

    def source(self) -> FolderSource:
        """The folder's pictures."""
        return FolderSource(self)


class FolderSource:
    """The pictures of a folder, one by one."""

    live = False

    def __init__(self, wanted: Folder) -> None:
        self._wanted = wanted
        self._pace = Pace(wanted.rate_hz)
        self._files: Iterator[Path] = iter(())

    def open(self) -> None:
        """List the folder."""
        self._files = iter(self._list())

    def _list(self) -> list[Path]:
        root = self._wanted.path
        if not root.is_dir():
            raise SourceError(f"{root} is not a folder: mount it, or correct `path` in the camera's settings")
        if self._wanted.files:
            return [root / name for name in self._wanted.files]
        found = sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES)
        if not found:
            raise SourceError(f"{root} holds no pictures ({', '.join(sorted(SUFFIXES))})")
        return found

    def read(self) -> Frame | None:
        """The next file's picture; its bytes go on untouched where they are JPEG."""
        path = next(self._files, None)
        if path is None:
            if not self._wanted.repeat:
                return None
            self._files = iter(self._list())
            path = next(self._files)
        self._pace.wait()
        try:
            if path.stat().st_size > LARGEST_BYTES:
                raise BadPicture("too_large", f"{path} is larger than {LARGEST_BYTES:,} bytes")
            encoded = path.read_bytes()
        except OSError as error:
            raise BadPicture("unreadable", f"{path}: {error.strerror}") from error
        captured = datetime.now(UTC)
        picture = decode(encoded)
        item = path.relative_to(self._wanted.path).as_posix()
        jpeg = encoded if encoded.startswith(b"\xff\xd8") else None
        return Frame(picture, captured, encoded=jpeg, item=item, source_bytes=len(encoded))

    def rest(self, rate_hz: float | None) -> None:
        """A folder does not rest: each of its pictures is an item of its own."""

    def close(self) -> None:
        """Forget the listing."""
        self._files = iter(())
