"""Server-sent events: one stream of numbered events, kept for a while so that a listener can come back.

The number is `BOOT-N`; a listener that comes back with Last-Event-ID gets what it missed, or `reset` when that is no
longer kept. A listener that does not read loses its place, never the module's memory.

An alert that comes in never waits until all listeners have been written to: they are woken a few at a time, and the
event loop looks for what has come in between.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator
from typing import Final

import orjson

_KEPT: Final = 512
_KEPT_BYTES: Final = 2 << 20
_BEHIND: Final = 256
_BEHIND_BYTES: Final = 1 << 20
_LISTENERS: Final = 64
_AT_ONCE: Final = 3  # a write to one costs 0.1 to 0.2 ms
_SILENCE_S: Final = 15.0  # a comment after so long tells both sides that the other is there


class TooManyListenersError(Exception):
    """No more listeners are taken: each costs memory and time of the gateway."""


class Listener:
    """What one listener has yet to read: bounded in events and bytes; `over` when it fell behind, or all is closed."""

    def __init__(self) -> None:
        self.over = False
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._woken = asyncio.Event()

    def give(self, text: bytes) -> bool:
        """Add an event; False when the listener is too far behind and has lost its place."""
        self._waiting.append(text)
        self._bytes += len(text)
        if len(self._waiting) > _BEHIND or (self._bytes > _BEHIND_BYTES and len(self._waiting) > 1):
            self.end()
            return False
        return True

    def wake(self) -> None:
        """Let it read what waits."""
        self._woken.set()

    def end(self) -> None:
        """Nothing more comes."""
        self.over = True
        self._waiting.clear()
        self._woken.set()

    async def next(self) -> bytes | None:
        """All that waits, at least one event; None when it is over."""
        while not self._waiting:
            if self.over:
                return None
            self._woken.clear()
            await self._woken.wait()
        text = b"".join(self._waiting)
        self._waiting.clear()
        self._bytes = 0
        return text


class Events:
    """The stream."""

    def __init__(self) -> None:
        self._boot = secrets.token_hex(4)
        self._number = 0
        self._kept: deque[tuple[int, bytes]] = deque()
        self._kept_bytes = 0
        self._listeners: set[Listener] = set()
        self._asleep: dict[Listener, None] = {}  # in the order in which they are woken
        self.somebody: Final = asyncio.Event()
        """Set while anyone listens."""

    def __len__(self) -> int:
        return len(self._listeners)

    def tell(self, event: str, data: object, *, keep: bool = True) -> None:
        """Send an event to all; `keep` it for those who come back (not for pictures of the moment).

        Only what is kept has a number: a listener comes back behind the last thing that matters.
        """
        body = b"event: %s\ndata: %s\n\n" % (event.encode(), orjson.dumps(data))
        if keep:
            self._number += 1
            body = b"id: %s-%d\n%s" % (self._boot.encode(), self._number, body)
            self._keep(body)
        for listener in [each for each in self._listeners if not each.give(body)]:
            self._leave(listener)
        idle = not self._asleep
        self._asleep.update(dict.fromkeys(self._listeners))
        if idle:
            self._wake_some()

    def _wake_some(self) -> None:
        for listener in list(self._asleep)[:_AT_ONCE]:
            del self._asleep[listener]
            listener.wake()
        if self._asleep:
            asyncio.get_running_loop().call_soon(self._wake_some)

    def listen(self, last_event_id: str | None, first: list[tuple[str, object]]) -> AsyncIterator[bytes]:
        """A listener's stream: what it missed, then `first` (how things stand), then what comes.

        Raises TooManyListenersError.
        """
        if len(self._listeners) >= _LISTENERS:
            raise TooManyListenersError
        listener = Listener()
        self._listeners.add(listener)
        self.somebody.set()
        missed = self._missed(last_event_id)
        if not missed:
            # An id from the start on: one who loses the connection before the first alert misses none either.
            missed = [b"id: %s-%d\n\n" % (self._boot.encode(), self._number)]
        return self._stream(listener, missed, first)

    def close(self) -> None:
        """End every stream."""
        for listener in self._listeners:
            listener.end()

    def _keep(self, text: bytes) -> None:
        self._kept.append((self._number, text))
        self._kept_bytes += len(text)
        while len(self._kept) > _KEPT or (self._kept_bytes > _KEPT_BYTES and len(self._kept) > 1):
            self._kept_bytes -= len(self._kept.popleft()[1])

    def _leave(self, listener: Listener) -> None:
        self._listeners.discard(listener)
        self._asleep.pop(listener, None)
        if not self._listeners:
            self.somebody.clear()

    def _missed(self, last_event_id: str | None) -> list[bytes]:
        if not last_event_id:
            return []
        boot, _, text = last_event_id.partition("-")
        oldest = self._kept[0][0] if self._kept else self._number + 1
        known = boot == self._boot and text.isascii() and text.isdecimal() and len(text) < 19
        if not known or not oldest - 1 <= int(text) <= self._number:
            return [b"id: %s-%d\nevent: reset\ndata: {}\n\n" % (self._boot.encode(), self._number)]
        return [event for number, event in self._kept if number > int(text)]

    async def _stream(
        self, listener: Listener, missed: list[bytes], first: list[tuple[str, object]]
    ) -> AsyncIterator[bytes]:
        try:
            yield b"retry: 1000\n\n"
            for event in missed:
                yield event
            for name, data in first:
                yield b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps(data))
            while True:
                try:
                    async with asyncio.timeout(_SILENCE_S):
                        text = await listener.next()
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                if text is None:
                    return
                yield text
        finally:
            self._leave(listener)
