"""Server-sent events: one stream of numbered events, kept for a while so that a listener can come back.

The number is `BOOT-N`; a listener that comes back with Last-Event-ID gets what it missed, or `resync` when that is no
longer kept. A listener that does not read loses its place, never the module's memory.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator
from typing import Final

import orjson

_KEPT: Final = 512
_BEHIND: Final = 256
_LISTENERS: Final = 64


class TooManyListenersError(Exception):
    """No more listeners are taken: each costs memory and time of the gateway."""


class Events:
    """The stream."""

    def __init__(self) -> None:
        self._boot = secrets.token_hex(4)
        self._number = 0
        self._kept: deque[tuple[int, bytes]] = deque(maxlen=_KEPT)
        self._queues: set[asyncio.Queue[bytes | None]] = set()
        self.somebody: Final = asyncio.Event()
        """Set while anyone listens."""

    def __len__(self) -> int:
        return len(self._queues)

    def tell(self, event: str, data: object, *, keep: bool = True) -> None:
        """Send an event to all; `keep` it for those who come back (not for pictures of the moment)."""
        self._number += 1
        text = b"id: %s-%d\nevent: %s\ndata: %s\n\n" % (
            self._boot.encode(),
            self._number,
            event.encode(),
            orjson.dumps(data),
        )
        if keep:
            self._kept.append((self._number, text))
        for queue in list(self._queues):
            try:
                queue.put_nowait(text)
            except asyncio.QueueFull:
                self._queues.discard(queue)
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(None)

    def listen(self, last_event_id: str | None, first: list[tuple[str, object]]) -> AsyncIterator[bytes]:
        """A listener's stream: what it missed, then `first` (how things stand), then what comes.

        Raises TooManyListenersError.
        """
        if len(self._queues) >= _LISTENERS:
            raise TooManyListenersError
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(_BEHIND)
        self._queues.add(queue)
        self.somebody.set()
        return self._stream(queue, self._missed(last_event_id), first)

    def close(self) -> None:
        """End every stream."""
        for queue in list(self._queues):
            while not queue.empty():
                queue.get_nowait()
            queue.put_nowait(None)

    def _missed(self, last_event_id: str | None) -> list[bytes]:
        if not last_event_id:
            return []
        boot, _, text = last_event_id.partition("-")
        oldest = self._kept[0][0] if self._kept else self._number + 1
        if boot != self._boot or not text.isdecimal() or int(text) < oldest - 1:
            return [b"event: resync\ndata: {}\n\n"]
        return [event for number, event in self._kept if number > int(text)]

    async def _stream(
        self, queue: asyncio.Queue[bytes | None], missed: list[bytes], first: list[tuple[str, object]]
    ) -> AsyncIterator[bytes]:
        try:
            yield b"retry: 1000\n\n"
            for event in missed:
                yield event
            for name, data in first:
                yield b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps(data))
            while True:
                try:
                    async with asyncio.timeout(15):
                        text = await queue.get()
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                if text is None:
                    return
                yield text
        finally:
            self._queues.discard(queue)
            if not self._queues:
                self.somebody.clear()
