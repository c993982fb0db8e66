"""Finished windows of many sensors, as columns."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from modules.vibration.columns import BoolArray, FloatArray, IntArray
from modules.vibration.scalar.moments import Moments


@dataclass(frozen=True, slots=True)
class WindowBatch:
    """Finished windows, one row each; `idle` counts readings that the machine's state kept from being judged.

    Moments are the population's: deviation = sqrt(m2 / n), kurtosis = n m4 / m2^2 (3 for a Gaussian) and skewness =
    sqrt(n) m3 / m2^1.5, both 0 for a constant signal. RMS, peak (largest magnitude) and crest = peak / rms are of the
    values themselves, not of their deviations from the mean (ISO 13373-1:2002, annex).
    """

    sensor: IntArray
    ordinal: NDArray[np.int64]
    start: FloatArray
    end: FloatArray
    first_seq: NDArray[np.int64]
    last_seq: NDArray[np.int64]
    gaps: NDArray[np.int64]
    flags: NDArray[np.int64]
    idle: NDArray[np.int64]
    partial: BoolArray
    moments: Moments

    def __len__(self) -> int:
        return int(self.sensor.size)

    def rows(self, which: IntArray | BoolArray) -> "WindowBatch":
        """Return the windows at `which`."""
        columns = {field.name: getattr(self, field.name)[which] for field in fields(self) if field.name != "moments"}
        return WindowBatch(**columns, moments=self.moments.rows(which))

    @property
    def count(self) -> NDArray[np.int64]:
        """Readings in each window."""
        return self.moments.count.astype(np.int64)

    @property
    def mean(self) -> FloatArray:
        """Mean of each window."""
        return self.moments.mean

    @property
    def low(self) -> FloatArray:
        """Smallest reading of each window."""
        return self.moments.low

    @property
    def high(self) -> FloatArray:
        """Largest reading of each window."""
        return self.moments.high

    @property
    def deviation(self) -> FloatArray:
        """Standard deviation within each window."""
        return np.sqrt(self._variance)

    @property
    def rms(self) -> FloatArray:
        """Root mean square of each window."""
        return np.sqrt(self._variance + self.moments.mean**2)

    @property
    def peak(self) -> FloatArray:
        """Largest magnitude in each window."""
        return np.maximum(np.abs(self.moments.low), np.abs(self.moments.high))

    @property
    def crest(self) -> FloatArray:
        """Peak over RMS; 0 where all is 0."""
        rms = self.rms
        return np.where(rms > 0, self.peak / np.where(rms > 0, rms, 1), 0)

    @property
    def kurtosis(self) -> FloatArray:
        """Fourth moment over the variance squared."""
        return self.moments.m4 / self.moments.count / self._spread**2

    @property
    def skewness(self) -> FloatArray:
        """Third moment over the variance to 1.5."""
        return self.moments.m3 / self.moments.count / self._spread**1.5

    @property
    def _variance(self) -> FloatArray:
        return self.moments.m2 / self.moments.count

    @property
    def _spread(self) -> FloatArray:
        variance = self._variance
        return np.where(variance > 0, variance, np.inf)
