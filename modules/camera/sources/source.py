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
    BRIEF_S = 0.1
    """So brief a sleep is not woken from: one that can be costs twice as much."""

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

    def wait(self) -> float:
        """Sleep until the next is due. Returns the seconds from it to the one after it."""
        resting = self._rest_s
        step = resting or self._own_s
        self.until(self.due(step))
        if resting is not None and self._rest_s is None:  # the one after it follows at its own rate again
            self._next += self._own_s - step
            return self._own_s
        return step

    def due(self, step_s: float) -> float:
        """When the next is due (monotonic, seconds), without waiting for it; the one after it is due so much later."""
        due = max(self._next, time.monotonic() - self.CATCH_UP_STEPS * step_s)
        self._next = due + step_s
        return due

    def until(self, due: float) -> None:
        """Sleep until ``due``, or until the rest ends: what comes next follows at its distance then."""
        left = due - time.monotonic()
        if left > self.BRIEF_S and self._woken.wait(left):
            self._woken.clear()
            self._next += time.monotonic() - due
        elif 0 < left <= self.BRIEF_S:
            time.sleep(left)
