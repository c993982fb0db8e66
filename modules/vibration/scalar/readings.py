"""Readings by row, on their way through the core."""

from dataclasses import dataclass

from modules.vibration.columns import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Readings:
    """Readings of one message: sensor rows intp[n], values float64[n] in their sensors' units, Unix seconds float64[n].

    `seq` is the message's; `lost` counts messages of its source found missing just before it.
    """

    rows: IntArray
    values: FloatArray
    times: FloatArray
    seq: int
    lost: int = 0

    def at(self, which: IntArray | BoolArray) -> "Readings":
        """Return the readings at `which`."""
        return Readings(self.rows[which], self.values[which], self.times[which], self.seq, self.lost)
