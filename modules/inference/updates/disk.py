"""Bringing what was written to disk."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Bring a file, or the entries of a folder, to disk. Raises OSError."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
