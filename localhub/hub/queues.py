"""Queues per endpoint and priority: the head in memory, the rest on disk only.

A queue keeps a window of its next messages. What is committed while the window has room goes straight into it, so on a
line that keeps up nothing is ever read back. Once the window is full the queue is *spilled*: new messages are only
counted, and the window is filled from the store when it has run empty. So a backlog of any length costs the memory of
one window. While there is room in memory, which all queues share, a window may grow: a receiver that falls behind for
a moment costs no reading back.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from localhub.hub.message import Entry

WINDOW: Final = 64  # messages that a queue may always hold in memory
LONGEST_WINDOW: Final = 1_024
WINDOW_BYTES: Final = 1 << 20
ROOM_BYTES: Final = 24 << 20  # for all windows, when they grow
OVERHEAD: Final = 1_500  # bytes a message takes in memory beside its own


class Fetch(Protocol):
    """Reads entries of a queue behind an id, as Store.fetch."""

    def __call__(self, queue: int, after: int, now: float, limit: int, max_bytes: int) -> list[Entry]:
        """Entries in order."""


class Room:
    """The memory that all windows take, in bytes; beyond `limit` none of them grows."""

    def __init__(self, limit: int = ROOM_BYTES) -> None:
        self.limit = limit
        self.used = 0


class Queue:
    """One endpoint's messages of one priority, in the order of arrival."""

    def __init__(
        self,
        no: int,
        endpoint: str,
        priority: int,
        fetch: Fetch,
        *,
        depth: int = 0,
        size: int = 0,
        room: Room | None = None,
    ) -> None:
        self.no = no
        self.endpoint = endpoint
        self.input = endpoint.rpartition("/")[2]
        self.priority = priority
        self.depth = depth  # messages on disk, those on their way included
        self.bytes = size
        self._fetch = fetch
        self._window: deque[Entry] = deque()
        self._window_bytes = 0
        self._room = Room() if room is None else room
        self._last = 0  # the highest id that has ever been in the window
        self._spilled = depth > 0

    def push(self, entry: Entry) -> None:
        """A message for this queue is on disk."""
        self.depth += 1
        self.bytes += entry.size
        number = entry.message.id
        if self._spilled or number <= self._last:  # the latter: read back between its commit and this call
            return
        held = len(self._window)
        if self._window_bytes < WINDOW_BYTES and (
            held < WINDOW or (held < LONGEST_WINDOW and self._room.used < self._room.limit)
        ):
            self._window.append(entry)
            self._window_bytes += entry.size
            self._room.used += entry.size + OVERHEAD
            self._last = number
        else:
            self._spilled = True

    def take(self, now: float, expired: Callable[["Queue", Entry], None]) -> Entry | None:
        """The next message that has not expired; what has is given to `expired` and is gone from the window."""
        while True:
            if not self._window:
                if not self._spilled:
                    return None
                self._fill(now)
                continue
            entry = self._window.popleft()
            self._window_bytes -= entry.size
            self._room.used -= entry.size + OVERHEAD
            if entry.expiry > now:
                return entry
            expired(self, entry)

    def put_back(self, entries: list[Entry]) -> None:
        """Entries that were taken, in order, and could not be delivered."""
        self._window.extendleft(reversed(entries))
        self._count(entries, 1)

    def drop_expired(self, now: float) -> Iterator[Entry]:
        """Take what has expired out of the window, wherever it stands."""
        if all(entry.expiry > now for entry in self._window):
            return
        kept = deque(entry for entry in self._window if entry.expiry > now)
        gone = [entry for entry in self._window if entry.expiry <= now]
        self._window = kept
        self._count(gone, -1)
        yield from gone

    def removed(self, size: int) -> None:
        """A message of this queue is delivered or dropped."""
        self.depth -= 1
        self.bytes -= size

    def waiting(self) -> bool:
        """Whether there may be something to take."""
        return bool(self._window) or self._spilled

    def _fill(self, now: float) -> None:
        entries = self._fetch(self.no, self._last, now, WINDOW, WINDOW_BYTES)
        size = sum(entry.size for entry in entries)
        self._spilled = len(entries) == WINDOW or size >= WINDOW_BYTES
        if entries:
            self._last = entries[-1].message.id
            self._window.extend(entries)
            self._count(entries, 1)

    def _count(self, entries: list[Entry], sign: int) -> None:
        """Entries came into the window, or went (sign -1)."""
        size = sum(entry.size for entry in entries)
        self._window_bytes += sign * size
        self._room.used += sign * (size + OVERHEAD * len(entries))


class Endpoint:
    """The queues of one endpoint: taking starts from the highest priority, which is the lowest number, every time."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.queues: list[Queue] = []

    def add(self, queue: Queue) -> None:
        """Another priority is in use."""
        self.queues.append(queue)
        self.queues.sort(key=lambda queue: queue.priority)

    def take(self, now: float, expired: Callable[[Queue, Entry], None]) -> tuple[Queue, Entry] | None:
        """The next message by priority, then by order of arrival."""
        for queue in self.queues:
            entry = queue.take(now, expired)
            if entry is not None:
                return queue, entry
        return None

    def take_batch(
        self, limit: int, max_bytes: int, now: float, expired: Callable[[Queue, Entry], None]
    ) -> tuple[Queue, list[Entry]] | None:
        """The next messages of one priority: priorities are never mixed in a batch."""
        for queue in self.queues:
            entries: list[Entry] = []
            size = 0
            while len(entries) < limit and size < max_bytes and (entry := queue.take(now, expired)) is not None:
                entries.append(entry)
                size += entry.size
            if entries:
                return queue, entries
        return None
