"""A slot for one thing: whoever is slow gets the newest and misses what lay between, never a backlog."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Newest(Generic[T]):
    """One writer, one reader, on two threads."""

    def __init__(self) -> None:
        self._filled = threading.Condition()
        self._thing: T | None = None
        self._closed = False
        self.skipped = 0
        """How many things were replaced before anyone took them."""

    def put(self, thing: T) -> None:
        """Replace what lies there."""
        with self._filled:
            if self._thing is not None:
                self.skipped += 1
            self._thing = thing
            self._filled.notify()

    def take(self) -> T | None:
        """Wait for a thing; None once the slot is closed and empty."""
        with self._filled:
            self._filled.wait_for(lambda: self._thing is not None or self._closed)
            thing, self._thing = self._thing, None
            return thing

    def close(self) -> None:
        """No more will come: wake the reader."""
        with self._filled:
            self._closed = True
            self._filled.notify()
