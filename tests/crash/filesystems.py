"""Small file systems, mounted for a test where that is allowed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MIB = 1024 * 1024


class NotAllowedError(Exception):
    """This machine or user may not mount; the text says what was refused."""


@contextmanager
def tmpfs(place: Path, size: int) -> Iterator[Path]:
    """A file system in memory of `size` bytes. Raises NotAllowedError."""
    with _mounted(place, ["-t", "tmpfs", "-o", f"size={size}", "tmpfs"]) as mounted:
        yield mounted


@contextmanager
def ext4(place: Path, size: int) -> Iterator[Path]:
    """An ext4 of `size` bytes in an image file beside `place`. Raises NotAllowedError."""
    image = image_of(place)
    with image.open("wb") as file:
        file.truncate(size)
    _run(["mkfs.ext4", "-q", "-m", "0", str(image)])
    with loop(place, image) as mounted:
        yield mounted


@contextmanager
def loop(place: Path, image: Path) -> Iterator[Path]:
    """The file system in an image file. Raises NotAllowedError."""
    with _mounted(place, ["-o", "loop", str(image)]) as mounted:
        yield mounted


def image_of(place: Path) -> Path:
    """Where `ext4` keeps what is mounted at `place`."""
    return place.with_name(place.name + ".img")


@contextmanager
def _mounted(place: Path, what: list[str]) -> Iterator[Path]:
    place.mkdir(exist_ok=True)
    _run(["mount", *what, str(place)])
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise NotAllowedError(f"{command[0]} is not installed") from error
    if done.returncode:
        raise NotAllowedError(f"{' '.join(command[:3])} ...: {done.stderr.strip()}")
