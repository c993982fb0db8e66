"""How old a frame is when it arrives, from the camera's own time stamps."""

from __future__ import annotations


class Lateness:
    """Compares the camera's clock with ours; pure.

    The two run apart by an unknown constant, and a frame is never early: the least difference of the last half minute
    to a minute is that constant (and the least delay on the way, which cannot be told from it), what a frame has above
    it is its delay. The window lets the clocks drift apart. Method: minimum filtering, as NTP's clock filter does.
    """

    WINDOW_S = 30.0
    JUMP_S = 10.0

    def __init__(self) -> None:
        self._least = self._before = float("inf")
        self._turn = float("-inf")

    def seconds(self, stamp_s: float, now_s: float) -> float:
        """How late the frame that the camera stamped ``stamp_s`` is at ``now_s`` of our clock."""
        apart = now_s - stamp_s
        if abs(apart - min(self._least, self._before)) > self.JUMP_S:  # a camera that restarted or set its clock
            self._least = self._before = apart
            self._turn = now_s
        if now_s - self._turn >= self.WINDOW_S:
            self._before, self._least, self._turn = self._least, apart, now_s
        self._least = min(self._least, apart)
        return apart - min(self._least, self._before)
