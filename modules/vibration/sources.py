"""Which messages of a source never came, told by the holes in its sequence numbers."""

from collections import OrderedDict

_MOST_SOURCES = 10_000  # names of sources are text from outside: memory stays flat whatever is sent


class Sources:
    """The last sequence number of every source. A source that starts again from a lower number has restarted."""

    def __init__(self) -> None:
        self._last: OrderedDict[str, int] = OrderedDict()
        self.lost = 0

    def lost_before(self, source: str, seq: int) -> int:
        """Note a message and return how many of its source are missing between the one before it and this one."""
        last = self._last.pop(source, None)
        self._last[source] = seq
        if len(self._last) > _MOST_SOURCES:
            self._last.popitem(last=False)
        if last is None or seq <= last:
            return 0
        missing = seq - last - 1
        self.lost += missing
        return missing

    def saved(self) -> dict[str, int]:
        """Return the last sequence numbers for a snapshot."""
        return dict(self._last)

    def restore(self, last: dict[str, int]) -> None:
        """Put saved sequence numbers back: what was sent meanwhile then counts as missing."""
        self._last = OrderedDict(last)
