"""One part passing, one frame sent: an event begins with motion and gives its best frame once.

The best frame is the first in which the part is wholly in view. A part that never is (too large, or leaving as it
comes) gives the frame in which most had changed, when the motion ends or the event grows too long.
"""

from __future__ import annotations

from dataclasses import dataclass

from modules.camera.frame import Frame
from modules.camera.gate import Motion


@dataclass(frozen=True, slots=True)
class Shot:
    """A frame chosen for sending and the motion that chose it."""

    frame: Frame
    motion: Motion


class Event:
    """Follows the gate's answers frame by frame; pure."""

    def __init__(self, *, longest_frames: int = 50, quiet_frames: int = 2) -> None:
        self._longest = longest_frames
        self._quiet = quiet_frames
        self._best: Shot | None = None
        self._sent = False
        self._length = 0
        self._still = 0

    def follow(self, frame: Frame, motion: Motion) -> Shot | None:
        """The shot to send now, if this frame decides it."""
        if not motion.moving:
            self._still += 1
            return self._end() if self._still >= self._quiet else None
        self._still = 0
        self._length += 1
        if self._sent:
            if self._length >= self._longest:  # a crowded belt never falls still: begin a new event
                self._reset()
            return None
        shot = Shot(frame, motion)
        if motion.whole:
            self._sent = True
            return shot
        if self._best is None or motion.area > self._best.motion.area:
            self._best = shot
        return self._end() if self._length >= self._longest else None

    def _end(self) -> Shot | None:
        shot = None if self._sent else self._best
        self._reset()
        return shot

    def _reset(self) -> None:
        self._best, self._sent, self._length = None, False, 0
