"""Sensors that are ill themselves, told by their windows: stuck at one value, cut off, without bias, or silent."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from modules.vibration.columns import BoolArray, Columns, FloatArray, IntArray
from modules.vibration.scalar.baseline import Baseline
from modules.vibration.scalar.window import WindowBatch

_ENOUGH = 20  # readings; a window of fewer may look ill by chance
_MOVED_WINDOWS = 3  # windows in a row that moved before a still one is strange
_INTERVALS = 10  # readings that fail to come before a sensor counts as silent
_SHORTEST_SILENCE = 30.0  # seconds; a sender may be restarted in less
# A healthy signal shows its extreme once or twice in a window; one that is cut off shows the same extreme again and
# again. A quarter of two windows in a row at one extreme is what it takes, from a sensor whose windows were sharp
# before: that keeps coarse sensors out, which show few values anyway. Simulated with 60 Gaussian readings a window for
# 1000 sensor-days each: 12 false alarms at a resolution of two deviations, none at one and a half or finer.
_SHARP = 2
_SHARP_WINDOWS = 6
_MOST_SHARP = 20
_BLUNT = 6  # readings at the extreme; such a window, as the onset of a fault is, outweighs three sharp ones, not all
_CUT_SHARE = 0.25
_CUT_READINGS = 10
_STILL_SHARE = 0.8  # what shows one value more often than this is stuck
# What an amplifier without supply gives: far from what is usual, and without the usual noise.
_QUIET = 0.1
_NOISY_AGAIN = 0.3
_FAR = 6.0
_NEAR = 3.0


@dataclass(frozen=True, slots=True)
class Ill:
    """Positions of windows whose sensor fell ill with `rule`, and of those whose sensor is well again."""

    rule: str
    raised: IntArray
    cleared: IntArray


class Upkeep(Columns):
    """What each sensor's last windows were like, how often it speaks, and which illness stands."""

    fills: ClassVar = {
        "moved": np.int64(0),
        "low": np.float64(np.nan),
        "high": np.float64(np.nan),
        "stuck": np.bool_(False),
        "sharp": np.int64(0),
        "cut": np.bool_(False),
        "cut_low": np.float64(np.nan),
        "cut_high": np.float64(np.nan),
        "lost": np.bool_(False),
        "usual": np.float64(0),
        "sigma": np.float64(0),
        "interval": np.float64(np.inf),
        "silent": np.bool_(False),
    }
    moved: NDArray[np.int64]
    low: FloatArray
    high: FloatArray
    stuck: BoolArray
    sharp: NDArray[np.int64]
    cut: BoolArray
    cut_low: FloatArray  # where the last window was cut off, NaN where it was not
    cut_high: FloatArray
    lost: BoolArray
    usual: FloatArray  # mean and deviation that were usual when the bias was lost
    sigma: FloatArray
    interval: FloatArray
    silent: BoolArray

    def take(self, windows: WindowBatch, baseline: Baseline) -> list[Ill]:
        """Look at finished windows (distinct sensors); return what fell ill and what recovered.

        Windows in which the machine's state kept readings from being judged only say how often readings come.
        """
        whole = ~windows.partial & (windows.count > 1)
        who = windows.sensor[whole]
        self.interval[who] = ((windows.end - windows.start) / windows.moments.count)[whole]
        looked = np.flatnonzero(windows.idle == 0)
        if looked.size < len(windows):
            windows = windows.rows(looked)
        found = [self._bias(windows, baseline), self._stillness(windows), self._clipping(windows)]
        return [Ill(ill.rule, looked[ill.raised], looked[ill.cleared]) for ill in found]

    def _bias(self, windows: WindowBatch, baseline: Baseline) -> Ill:
        """A window far from the usual and much quieter than usual."""
        who, mean, deviation = windows.sensor, windows.mean, windows.deviation
        usual, sigma = baseline.mean[who], baseline.sigma(who)
        off = np.abs(mean - usual)
        lost = (off > _FAR * sigma) & (deviation < _QUIET * sigma) & (windows.count >= _ENOUGH)
        lost &= baseline.learned(who) & ~self.lost[who]
        self.usual[who[lost]], self.sigma[who[lost]] = usual[lost], sigma[lost]
        before, spread = self.usual[who], self.sigma[who]
        back = self.lost[who] & ((np.abs(mean - before) < _NEAR * spread) | (deviation > _NOISY_AGAIN * spread))
        self.lost[who] = (self.lost[who] | lost) & ~back
        return Ill("bias", np.flatnonzero(lost), np.flatnonzero(back))

    def _stillness(self, windows: WindowBatch) -> Ill:
        """A window of one value, strange only for a sensor whose last windows had a new smallest and largest each.

        A coarse sensor, which shows the same few values again and again, is never called stuck.
        """
        who = windows.sensor
        still = windows.low == windows.high
        stuck = still & (windows.count >= _ENOUGH) & (self.moved[who] >= _MOVED_WINDOWS)
        stuck &= ~self.stuck[who] & ~self.lost[who]
        freed = ~still & self.stuck[who]
        self.stuck[who] = (self.stuck[who] | stuck) & ~freed
        moved = (windows.low != self.low[who]) & (windows.high != self.high[who]) & ~still
        self.moved[who] = np.where(moved, self.moved[who] + 1, 0)
        self.low[who], self.high[who] = windows.low, windows.high
        return Ill("stuck", np.flatnonzero(stuck), np.flatnonzero(freed))

    def _clipping(self, windows: WindowBatch) -> Ill:
        """Two windows in a row whose extreme comes again and again, of a sensor that did not do so before."""
        who, moments = windows.sensor, windows.moments
        count = moments.count
        enough = (count >= _ENOUGH) & (moments.low < moments.high)
        least, most = np.maximum(_CUT_READINGS, _CUT_SHARE * count), _STILL_SHARE * count
        at_low = enough & (moments.at_low >= least) & (moments.at_low <= most)
        at_high = enough & (moments.at_high >= least) & (moments.at_high <= most)
        again = (at_low & (moments.low == self.cut_low[who])) | (at_high & (moments.high == self.cut_high[who]))
        cut = again & (self.sharp[who] >= _SHARP_WINDOWS) & ~self.cut[who]
        self.cut_low[who] = np.where(at_low, moments.low, np.nan)
        self.cut_high[who] = np.where(at_high, moments.high, np.nan)
        edge = np.maximum(moments.at_low, moments.at_high)
        sharp = enough & (edge <= _SHARP)
        whole = sharp & self.cut[who]
        self.cut[who] = (self.cut[who] | cut) & ~whole
        blunt = np.where(at_low | at_high, -2, np.where(edge >= _BLUNT, -3, -_MOST_SHARP))
        step = np.where(sharp, 1, np.where(enough, blunt, 0))
        self.sharp[who] = np.clip(self.sharp[who] + step, 0, _MOST_SHARP)
        return Ill("clipping", np.flatnonzero(cut), np.flatnonzero(whole))

    def listen(self, last: FloatArray, now: float, since: float) -> tuple[IntArray, IntArray]:
        """Return rows that have fallen silent, and rows heard again.

        `last`: float64[rows], times of the last readings; `since`: when listening began (all Unix seconds).
        """
        rows = slice(0, last.size)
        patience = np.maximum(_SHORTEST_SILENCE, _INTERVALS * self.interval[rows])
        quiet = now - np.maximum(last, since) > patience
        fallen = np.flatnonzero(quiet & ~self.silent[rows])
        heard = np.flatnonzero(~quiet & self.silent[rows] & (last >= since))
        self.silent[fallen] = True
        self.silent[heard] = False
        return fallen, heard
