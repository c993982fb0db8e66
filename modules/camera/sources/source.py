"""What every source of pictures is, and what all of them need."""

from __future__ import annotations

import threading
import time
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from modules.camera.frame import Frame


class SourceError(Exception):
    """The source gives no pictures now. The text says what to look at; it never holds a password."""


class Source(Protocol):
    """One camera, folder or file. A source blocks in `read`, so the module reads it on a thread of its own."""

    live: bool
    """True where frames come whether read or not, so that only the newest counts; False where each must be read."""

    def open(self) -> None:
        """Begin, after `close` again; SourceError if that fails."""

    def read(self) -> Frame | None:
        """The next frame; None at the very end. SourceError when the source is dead, BadPicture for one bad frame."""

    def rest(self, rate_hz: float | None) -> None:
        """From now on give at most so many frames a second; None: all of them again. From any thread, at any time."""

    def close(self) -> None:
        """Give the source back; may be called twice."""


class SourceSettings(BaseModel):
    """What can be set for one kind of source: frozen, and a key it does not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def source(self) -> Source:
        """The source for these settings."""
        raise NotImplementedError


class Pace:
    """Holds a rate against the monotonic clock.

    It catches up with what was lost to a short delay only: after a long one it goes on from now.
    """

    CATCH_UP_STEPS = 3

    def __init__(self, rate_hz: float) -> None:
        self._own_s = 1 / rate_hz
        self._rest_s: float | None = None
        self._next = 0.0
        self._woken = threading.Event()

    def rest(self, rate_hz: float | None) -> None:
        """As `Source.rest`; a waiting thread goes on at once when the rest ends."""
        self._rest_s = None if rate_hz is None else max(1 / rate_hz, self._own_s)
        if rate_hz is None:
            self._woken.set()
        else:
            self._woken.clear()

    def wait(self, step_s: float | None = None) -> float:
        """Sleep until the next is due; the one after it is due ``step_s`` later. Returns the seconds between both."""
        resting = self._rest_s
        step = step_s if step_s is not None else resting or self._own_s
        now = time.monotonic()
        if self._next > now:
            if resting is None:
                time.sleep(self._next - now)
            elif self._woken.wait(self._next - now):
                self._next = time.monotonic()
        self._next = max(self._next, now - self.CATCH_UP_STEPS * step) + step
        return step
