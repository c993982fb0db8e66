"""Motion told from compressed sizes alone: an encoder spends more on a frame in which something moves."""

from __future__ import annotations


class Swell:
    """Follows the sizes of a stream's frames between two key frames; pure.

    A frame counts as a swell when it takes several times what such frames took of late. An encoder that holds its rate
    constant hides this: so a swell may wake a resting camera early, but nothing relies on it.
    """

    TIMES = 3.0
    LEAST_BYTES = 600
    LEARNT_AFTER = 20

    def __init__(self) -> None:
        self._usual = 0.0
        self._seen = 0

    def see(self, size: int) -> bool:
        """Whether a frame of ``size`` bytes is a swell; it then counts little towards what is usual."""
        swollen = self._seen >= self.LEARNT_AFTER and size > self.TIMES * self._usual + self.LEAST_BYTES
        self._seen += 1
        rate = max(1 / self._seen, 0.05)
        self._usual += (rate / 10 if swollen else rate) * (size - self._usual)
        return swollen
