"""State that survives SIGKILL and power cuts: a file replaced as a whole, with a checksum over what it says.

Format: the line `MWSNAP1`, 32 bytes BLAKE2b of the body, the body. The file before the last stays beside it as
`.previous`, so that a torn or rotten file costs one interval and not everything.
"""

import logging
import os
from hashlib import blake2b
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

_MAGIC: Final = b"MWSNAP1\n"
_DIGEST: Final = 32


class Snapshot:
    """One snapshot file. `save` blocks for a synced write; call it from a thread where that matters."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._previous = path.with_name(path.name + ".previous")

    def save(self, body: bytes) -> None:
        """Put `body` in place of what was there, on disk before this returns. Raises OSError when it cannot."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_name(self.path.name + ".new")
        with fresh.open("wb") as file:
            file.write(_MAGIC + blake2b(body, digest_size=_DIGEST).digest() + body)
            file.flush()
            os.fsync(file.fileno())
        if self.path.exists():
            self.path.replace(self._previous)
        fresh.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def load(self) -> bytes | None:
        """What was saved last and can be read; None when there is nothing. A damaged file is set aside and logged."""
        for path in (self.path, self._previous):
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                continue
            body = content[len(_MAGIC) + _DIGEST :]
            if content == _MAGIC + blake2b(body, digest_size=_DIGEST).digest() + body:
                return body
            aside = path.with_name(path.name + ".damaged")
            path.replace(aside)
            log.error("%s is damaged and was set aside as %s; the one before it is used", path, aside.name)
        return None
