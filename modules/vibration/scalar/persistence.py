"""k of n: a lone flag is noise (0.27 % of clean Gaussian readings), several in a row are a finding."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from modules.vibration.columns import BoolArray, Columns, FloatArray, IntArray
from modules.vibration.scalar.rules import Rule


@dataclass(frozen=True, slots=True)
class Persistent:
    """What one step found: positions into the step's arrays."""

    raised: IntArray
    cleared: IntArray
    relearned: IntArray


_NOTHING = Persistent(*(np.zeros(0, dtype=np.intp) for _ in range(3)))


class Persistence(Columns):
    """The last flags of every sensor as bits, the newest lowest, and whether the finding stands."""

    fills: ClassVar = {
        "bits": np.uint64(0),
        "streak": np.int64(0),
        "standing": np.bool_(False),
        "held_until": np.float64(-np.inf),
    }
    bits: NDArray[np.uint64]
    streak: NDArray[np.int64]
    standing: BoolArray
    held_until: FloatArray

    def configure(self, rules: list[Rule]) -> None:
        """Take the rules; rows of `rule` numbers in `step` point into them."""
        self._needed = np.array([rule.flags for rule in rules], dtype=np.uint8)
        masks = [(1 << rule.flags_of) - 1 for rule in rules]
        self._mask = np.array(masks, dtype=np.uint64)
        self._relearn = np.array([rule.relearn_after or np.iinfo(np.int64).max for rule in rules], dtype=np.int64)
        self._hold_off = np.array([rule.hold_off for rule in rules])

    def step(self, sensors: IntArray, rule: IntArray, flagged: IntArray, times: FloatArray) -> Persistent:
        """Shift one flag in for each of `sensors` (all distinct).

        `rule`: the rule's number of every sensor known; `flagged`: positions of the flagged readings; `times`:
        float64[n] seconds. A finding is raised when k of
        the last n readings were flagged, and cleared when none of them is.
        """
        flags = np.zeros(sensors.size, dtype=np.bool_)
        flags[flagged] = True
        touched = np.flatnonzero(flags | (self.bits[sensors] != 0))
        if not touched.size:
            return _NOTHING
        who = sensors[touched]
        rules = rule[who]
        flag = flags[touched]
        bits = (self.bits[who] << np.uint64(1) | flag) & self._mask[rules]
        self.bits[who] = bits
        streak = np.where(flag, self.streak[who] + 1, 0)
        standing = self.standing[who]
        when = times[touched]
        enough = np.bitwise_count(bits) >= self._needed[rules]
        raised = enough & ~standing & (when >= self.held_until[who])
        relearned = streak >= self._relearn[rules]
        cleared = standing & ((bits == 0) | relearned)
        self.standing[who] = (standing | raised) & ~cleared
        self.held_until[who[cleared]] = when[cleared] + self._hold_off[rules[cleared]]
        self.bits[who[relearned]] = 0
        streak[relearned] = 0
        self.streak[who] = streak
        return Persistent(touched[raised], touched[cleared], touched[relearned])
