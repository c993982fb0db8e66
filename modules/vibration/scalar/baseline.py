"""Running mean and variance of every sensor, forgetting slowly, with flagged values kept out."""

from typing import ClassVar

import numpy as np

from modules.vibration.columns import BoolArray, Columns, FloatArray, IntArray
from modules.vibration.scalar.rules import Statistics

_RELATIVE_FLOOR = 1e-3  # below this share of the mean a deviation is the sensor's resolution, not its noise


class Baseline(Columns):
    """Exponentially weighted mean and variance, one row per sensor.

    With weight a = max(1 / (n + 1), 1 / memory) and d = x - mean: mean += a d, variance = (1 - a)(variance + a d^2)
    (Finch 2009, Incremental calculation of weighted mean and variance, section 9). Until the memory is full this is
    the plain mean and population variance. Beyond the warm-up values with |z| > limit are flagged and kept out, and
    d^2 is divided by the variance a Gaussian keeps when so truncated; without that the estimate would shrink.
    """

    fills: ClassVar = {
        "n": np.float64(0),
        "mean": np.float64(0),
        "variance": np.float64(0),
        "floor": np.float64(0),
    }
    n: FloatArray
    mean: FloatArray
    variance: FloatArray
    floor: FloatArray  # smallest believable variance (resolution squared)

    def __init__(self, settings: Statistics) -> None:
        super().__init__()
        self.configure(settings)

    def configure(self, settings: Statistics) -> None:
        """Take new settings; the learned state stays."""
        self._warm_up = settings.warm_up
        self._memory = settings.memory
        self._z_limit = settings.z_limit
        self._z2 = settings.z_limit**2
        self._gain = 1 / settings.truncation()

    def step(self, sensors: IntArray, values: FloatArray) -> tuple[IntArray, FloatArray]:
        """Judge one reading of each of `sensors` (all distinct), then learn from those not flagged.

        `values`: float64[n]. Returns positions intp[k] and z float64[k] of the flagged readings.
        """
        n = self.n[sensors]
        mean = self.mean[sensors]
        variance = self.variance[sensors]
        deviation = values - mean
        squared = deviation * deviation
        outside = squared > variance * self._z2
        youngest = n.min(initial=self._memory)
        if youngest < self._warm_up:
            outside &= n >= self._warm_up
        far = np.flatnonzero(outside)
        z = deviation[far] / np.sqrt(self._spread(sensors[far], variance[far], mean[far]))
        beyond = np.abs(z) > self._z_limit
        flagged = far[beyond]
        # n stops below the memory, so the weight stops at 1 / memory; then one number serves all sensors.
        weight = 1 / self._memory if youngest >= self._memory - 1 else 1 / (n + 1)
        gain = self._gain if youngest >= self._warm_up else np.where(n >= self._warm_up, self._gain, 1.0)
        squared *= weight * gain
        squared += variance
        squared *= 1 - weight
        squared[flagged] = variance[flagged]
        self.variance[sensors] = squared
        deviation *= weight
        deviation += mean
        deviation[flagged] = mean[flagged]
        self.mean[sensors] = deviation
        if youngest < self._memory - 1:
            grown = np.minimum(n + 1, self._memory - 1)
            grown[flagged] = n[flagged]
            self.n[sensors] = grown
        return flagged, z[beyond]

    def relearn(self, sensors: IntArray) -> None:
        """Forget what is normal for `sensors`: their next readings are a new warm-up."""
        self.n[sensors] = 0
        self.variance[sensors] = 0

    def learned(self, sensors: IntArray) -> BoolArray:
        """Tell for which of `sensors` the warm-up is over, bool[n]."""
        return self.n[sensors] >= self._warm_up

    def sigma(self, sensors: IntArray) -> FloatArray:
        """Return the standard deviation float64[n] that z scores of `sensors` are measured in."""
        return np.sqrt(self._spread(sensors, self.variance[sensors], self.mean[sensors]))

    def _spread(self, sensors: IntArray, variance: FloatArray, mean: FloatArray) -> FloatArray:
        floor = np.maximum(self.floor[sensors], np.square(_RELATIVE_FLOOR * mean))
        return np.maximum(np.maximum(variance, floor), np.finfo(np.float64).tiny)
