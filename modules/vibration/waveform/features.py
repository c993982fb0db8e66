"""Time features of many windows at once: what the shape of the signal says, without any spectrum."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Float32: TypeAlias = NDArray[np.float32]
Float64: TypeAlias = NDArray[np.float64]

CACHED = 65_536


@dataclass(frozen=True, slots=True)
class TimeFeatures:
    """Features of n windows, float64[n] each; mean, rms and peak in the samples' unit, the others without one.

    With m_k the k-th central moment of the population and x the samples (ISO 13373-1:2002; Randall 2011,
    Vibration-based Condition Monitoring, section 5.2):
    rms = sqrt(mean(x^2)), peak = max|x|, crest = peak / rms, kurtosis = m_4 / m_2^2 (3 for a Gaussian),
    skewness = m_3 / m_2^1.5, shape = rms / mean|x|, impulse = peak / mean|x|. A ratio whose denominator is 0 is 0.
    """

    mean: Float64
    rms: Float64
    peak: Float64
    crest: Float64
    kurtosis: Float64
    skewness: Float64
    shape: Float64
    impulse: Float64


def time_features(windows: Float32) -> TimeFeatures:
    """Compute the time features of each row of `windows` float32[n, m].

    Samples are centred before they are raised to powers, so float32 is enough: against float64 the relative error
    stays below 1e-5, also with a mean a thousand times the deviation.
    """
    rows, length = windows.shape
    sums = np.empty((7, rows))
    step = max(1, CACHED // max(length, 1))
    for begin in range(0, rows, step):
        part = slice(begin, begin + step)
        sums[:, part] = _sums(windows[part])
    mean, m2, m3, m4, high, low, magnitude = sums
    rms = np.sqrt(m2 + mean * mean)
    peak = np.maximum(high, -low)
    spread = np.where(m2 > 0, m2, np.inf)
    some = np.where(rms > 0, rms, np.inf)
    average = np.where(magnitude > 0, magnitude, np.inf)
    return TimeFeatures(
        mean=mean,
        rms=rms,
        peak=peak,
        crest=peak / some,
        kurtosis=m4 / spread**2,
        skewness=m3 / spread**1.5,
        shape=rms / average,
        impulse=peak / average,
    )


def _sums(windows: Float32) -> Float64:
    """Return mean, central moments 2 to 4, largest, smallest and mean magnitude of each row, float64[7, n]."""
    length = windows.shape[1]
    ones = np.ones(length, dtype=np.float32)
    first = windows[:, :1]
    # Dot products run in BLAS at several times the speed of a sum. Starting from the first sample, what is summed is
    # small, and what the float32 mean is off by is taken out of the moments below.
    rough = first + (np.vecdot(windows - first, ones) / np.float32(length))[:, None]
    centred = windows - rough
    squared = centred * centred
    off = np.vecdot(centred, ones).astype(np.float64) / length
    m2 = np.vecdot(centred, centred).astype(np.float64) / length
    m3 = np.vecdot(squared, centred).astype(np.float64) / length
    m4 = np.vecdot(squared, squared).astype(np.float64) / length
    magnitude = np.vecdot(np.abs(windows, out=centred), ones)
    square = off * off
    return np.stack(
        [
            rough[:, 0] + off,
            m2 - square,
            m3 - 3 * off * m2 + 2 * off * square,
            m4 - 4 * off * m3 + 6 * square * m2 - 3 * square * square,
            windows.max(axis=1).astype(np.float64),
            windows.min(axis=1).astype(np.float64),
            magnitude.astype(np.float64) / length,
        ]
    )
