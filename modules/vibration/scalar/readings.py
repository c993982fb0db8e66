"""Readings by row, on their way through the core."""

from dataclasses import dataclass

from modules.vibration.columns import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Readings:
    """Readings of one message: sensor rows intp[n], values float64[n] in their sensors' units, Unix seconds float64[n].

    `seq` is the message's; `lost` counts messages of its source found missing just before it. Where readings of several
    messages have been merged, both are intp[n].
    """

    rows: IntArray
    values: FloatArray
    times: FloatArray
    seq: int | IntArray
    lost: int | IntArray = 0

    def at(self, which: IntArray | BoolArray) -> "Readings":
        """Return the readings at `which`."""
        seq = self.seq if isinstance(self.seq, int) else self.seq[which]
        lost = self.lost if isinstance(self.lost, int) else self.lost[which]
        return Readings(self.rows[which], self.values[which], self.times[which], seq, lost)
