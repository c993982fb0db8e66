"""When a camera may rest: after nothing has moved for long. Pure."""

from __future__ import annotations


class Rest:
    """Told of every look, says whether the camera rests from now on. ``after_s`` seconds without motion; 0: never."""

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        self._moved: float | None = None
        self.resting = False

    def look(self, *, moving: bool, now: float) -> bool:
        """Take in one look at ``now`` (seconds, monotonic); whether that changed anything."""
        if moving or self._moved is None:
            self._moved = now
        resting = self._after_s > 0 and now - self._moved >= self._after_s
        changed, self.resting = resting != self.resting, resting
        return changed
