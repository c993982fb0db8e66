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
    """The last flags of every sensor as bits, the newest lowest, and whether the finding stands.

    False alarms: for k of n flags that come alone with probability p, a finding begins with a flag that is the k-th of
    the last n readings, so per reading it has a probability of at most p B, B the binomial chance of k - 1 or more
    flags in the n - 1 readings before. For 5 of 8 and Gaussian |z| > 3 (p = 0.0027) that is p x 35 p^4 = 5e-12: 0.004
    in the 864 million readings of 10,000 sensors and a day. A baseline just warmed up knows its deviation to 7 % and
    its mean to 0.1 deviations; for one sensor in a thousand p is then up to 0.02, which adds less than that. 3 of 5
    would give p x 6 p^2 = 1e-7, a hundred false alarms a day.
    """

    fills: ClassVar = {
        "bits": np.uint64(0),
        "busy": np.bool_(False),
        "streak": np.int64(0),
        "standing": np.bool_(False),
        "held_until": np.float64(-np.inf),
    }
    bits: NDArray[np.uint64]
    busy: BoolArray  # any of the bits: few bytes to look at, as most sensors have none
    streak: NDArray[np.int64]
    standing: BoolArray
    held_until: FloatArray

    def configure(self, rules: list[Rule], *, needed: str = "flags", relearn: bool = False) -> None:
        """Take the rules; rows of `rule` numbers in `step` point into them. `needed`: the setting that says k."""
        self._needed = np.array([getattr(rule, needed) for rule in rules], dtype=np.uint8)
        masks = [(1 << rule.flags_of) - 1 for rule in rules]
        self._mask = np.array(masks, dtype=np.uint64)
        never = np.iinfo(np.int64).max
        after = [rule.relearn_after or never if relearn else never for rule in rules]
        self._relearn = np.array(after, dtype=np.int64)
        self._hold_off = np.array([rule.hold_off for rule in rules])

    def step(self, sensors: IntArray, rule: IntArray, flagged: IntArray, times: FloatArray) -> Persistent:
        """Shift one flag in for each of `sensors` (all distinct).

        `rule`: the rule's number of every sensor known; `flagged`: positions of the flagged readings; `times`:
        float64[n] seconds. A finding is raised when k of
        the last n readings were flagged, and cleared when none of them is.
        """
        looked = self.busy[sensors]
        looked[flagged] = True
        touched = np.flatnonzero(looked)
        if not touched.size:
            return _NOTHING
        who = sensors[touched]
        rules = rule[who]
        flags = np.zeros(sensors.size, dtype=np.bool_)
        flags[flagged] = True
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
        self.busy[who] = self.bits[who] != 0
        streak[relearned] = 0
        self.streak[who] = streak
        return Persistent(touched[raised], touched[cleared], touched[relearned])
