"""Blocks of a waveform put together into the windows a model wants. Pure; samples stay bytes (float32, little endian).

Blocks of one source follow each other when each begins where the one before ended. A gap, another rate or another shaft
speed begins a new stretch, so that no window ever spans a break.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from modules.common.messages import Waveform

BYTES: Final = 4
GAP_S: Final = 0.02  # clocks of senders wander; a lost block is far longer than this
SPEED_CHANGE: Final = 0.02  # of shaft speed; more would smear the lines


@dataclass(frozen=True, slots=True)
class Window:
    """Samples of one window; `sampled` is the time of the last of them."""

    samples: bytes
    rate_hz: float
    rpm: float | None
    sampled: datetime


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is kept of a source: samples not yet left behind by the windows, and the facts they share."""

    samples: bytes = b""
    rate_hz: float = 0.0
    rpm: float | None = None
    end: datetime | None = None  # when the sample after the last one is due

    def take(self, block: Waveform, seconds: float, hop: float) -> tuple["Stretch", list[Window]]:
        """After `block`: what to keep, and the windows that are full now.

        `seconds` is a window's length, `hop` the step to the next as a share of it. A block that ends before the end
        of what is known has been here already and gives nothing.
        """
        after = block.time + timedelta(seconds=block.count / block.rate_hz)
        if self.end is not None and after <= self.end and self.end - after < timedelta(seconds=seconds * 4):
            return self, []
        samples = self.samples + block.samples if self._goes_on(block) else block.samples
        length = BYTES * max(1, round(seconds * block.rate_hz))
        step = BYTES * max(1, round(seconds * block.rate_hz * hop))
        windows: list[Window] = []
        start = 0
        while start + length <= len(samples):
            left = (len(samples) - start - length) // BYTES
            # The last sample itself, not the moment after it.
            sampled = after - timedelta(seconds=(left + 1) / block.rate_hz)
            windows.append(Window(samples[start : start + length], block.rate_hz, block.rpm, sampled))
            start += step
        return replace(self, samples=samples[start:], rate_hz=block.rate_hz, rpm=block.rpm, end=after), windows

    def _goes_on(self, block: Waveform) -> bool:
        if self.end is None or block.rate_hz != self.rate_hz:
            return False
        if abs((block.time - self.end).total_seconds()) > GAP_S:
            return False
        if self.rpm is None or block.rpm is None:
            return self.rpm == block.rpm
        return abs(block.rpm - self.rpm) <= SPEED_CHANGE * max(self.rpm, 1.0)
