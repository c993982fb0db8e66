"""When each sensor last spoke: keeps late and repeated readings out."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from modules.vibration.columns import BoolArray, Columns, FloatArray, IntArray

_PATIENCE = 30  # late readings after which a sensor's clock is taken to have been set back


@dataclass(frozen=True, slots=True)
class Untimely:
    """Which readings of a step came late and which repeat the one before, bool[n] each."""

    late: BoolArray
    repeated: BoolArray


class Clock(Columns):
    """Time and value of the last reading of every sensor, and whose clock is not believed.

    A reading is late when it is older than its sensor's last, repeated when it equals it in time and value. The same
    time with another value is a sensor faster than its clock's grain: it counts.
    """

    fills: ClassVar = {
        "time": np.float64(-np.inf),
        "value": np.float64(np.nan),
        "late": np.int64(0),
        "doubted": np.bool_(False),
    }
    time: FloatArray
    value: FloatArray
    late: NDArray[np.int64]
    doubted: BoolArray

    def __init__(self) -> None:
        super().__init__()
        self._doubting = True  # until the first look at what a snapshot held

    def doubt(self, sensors: IntArray, wrong: BoolArray) -> None:
        """Note whose readings bear a time that cannot be, and whose are right again; bool[n] beside `sensors`."""
        if wrong.any():
            self.doubted[sensors[wrong]] = True
            self._doubting = True
        if self._doubting:
            self.doubted[sensors[~wrong]] = False
            self._doubting = bool(self.doubted.any())

    def step(self, sensors: IntArray, values: FloatArray, times: FloatArray) -> Untimely | None:
        """Note one reading of each of `sensors` (all distinct); return the untimely ones, None where there is none."""
        last = self.time[sensors]
        untimely = None
        if not (times > last).all():
            late = times < last
            repeated = (times == last) & (values == self.value[sensors])
            who = sensors[late]
            self.late[who] += 1
            set_back = self.late[who] >= _PATIENCE
            self.late[who[set_back]] = 0
            late[np.flatnonzero(late)[set_back]] = False
            if late.any() or repeated.any():
                untimely = Untimely(late, repeated)
                kept = ~(late | repeated)
                sensors, values, times = sensors[kept], values[kept], times[kept]
        self.time[sensors] = times
        self.value[sensors] = values
        return untimely
