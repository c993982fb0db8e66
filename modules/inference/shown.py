"""The last verdict of each source, and the picture it was about, for whoever looks at the page. Pure, bounded."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_BYTES: Final = 8_000_000  # of pictures
_SOURCES: Final = 20_000


@dataclass(frozen=True, slots=True)
class Last:
    """What was said last, and of which picture (empty for a waveform, or where there was no room)."""

    document: Mapping[str, Any]
    model: str  # name of the package
    picture: bytes = b""


class Shown:
    """By source; the sources that have been quiet longest make room."""

    def __init__(self, room: int = _BYTES) -> None:
        self._room = room
        self._of: OrderedDict[str, Last] = OrderedDict()
        self._bytes = 0

    def note(self, source: str, last: Last) -> None:
        """The newest of `source`."""
        before = self._of.pop(source, None)
        self._bytes += len(last.picture) - len(before.picture if before else b"")
        self._of[source] = last
        while len(self._of) > 1 and (self._bytes > self._room or len(self._of) > _SOURCES):
            self._bytes -= len(self._of.popitem(last=False)[1].picture)

    def of(self, source: str) -> Last:
        """The newest of `source`. Raises LookupError."""
        return self._of[source]
