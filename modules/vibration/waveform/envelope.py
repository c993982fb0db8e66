"""Envelope spectrum: how often something knocks, seen in the band where the machine rings.

A defect strikes a few dozen times a second but is heard at thousands of hertz, where the structure resonates. The
squared envelope of that band shows the strikes as lines (Randall, Antoni 2011, Rolling element bearing diagnostics - a
tutorial, section 4).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from modules.vibration.waveform.features import CACHED, Float32
from modules.vibration.waveform.spectrum import Complex64


@dataclass(frozen=True, slots=True)
class Band:
    """Bins [low, high) of the transform that the envelope is taken of."""

    low: int
    high: int

    @property
    def length(self) -> int:
        """Samples of the decimated envelope: twice the bins, so that its square does not fold over."""
        return 2 * (self.high - self.low)


@lru_cache(maxsize=256)
def smooth(most: int) -> int:
    """Return the largest even number up to `most` that has no factor above 5; 2 at least."""
    best = 2
    power_of_five = 1
    while 2 * power_of_five <= most:
        odd = power_of_five
        while 2 * odd <= most:
            best = max(best, odd << ((most // odd).bit_length() - 1))
            odd *= 3
        power_of_five *= 5
    return best


def envelope_spectrum(spectra: Complex64, band: Band) -> Float32:
    """Return the power spectrum of each row's squared envelope in `band`: float32[n, band.length // 2 + 1].

    `spectra`: complex64[n, bins] of tapered windows (`spectrum.transform`). The band is moved to zero and transformed
    back at its own, lower rate; its square magnitude is the squared envelope times the squared taper, which serves as
    the taper of the second transform. Bins are as far apart as those of `spectra`. Each row is divided by its squared
    mean envelope, so that the level does not depend on how loud the machine is.
    """
    rows = spectra.shape[0]
    result = np.empty((rows, band.length // 2 + 1), dtype=np.float32)
    squared_taper = _squared_hann(band.length)
    step = max(1, CACHED // (2 * band.length))
    for begin in range(0, rows, step):
        part = slice(begin, begin + step)
        analytic = np.fft.ifft(spectra[part, band.low : band.high], n=band.length, axis=1)
        squared = analytic.real**2
        squared += analytic.imag**2
        mean = squared.mean(axis=1, keepdims=True)
        squared /= np.where(mean > 0, mean, 1)
        squared -= squared_taper
        lines = np.fft.rfft(squared, axis=1)
        np.add(lines.real**2, lines.imag**2, out=result[part])
    return result


def envelope_kurtosis(spectra: Complex64, band: Band) -> Float32:
    """Return how peaked each row's envelope is in `band`, float32[n]: 0 for Gaussian noise, more for impacts.

    Antoni 2007, Fast computation of the kurtogram, eq. 8: E|z|^4 / E(|z|^2)^2 - 2 of the complex envelope z; here with
    the taper's own share, known for a constant envelope, divided out.
    """
    analytic = np.fft.ifft(spectra[:, band.low : band.high], n=band.length, axis=1)
    squared = analytic.real**2 + analytic.imag**2
    mean = squared.mean(axis=1)
    peaked = (squared**2).mean(axis=1) / np.where(mean > 0, mean**2, 1)
    return np.asarray(peaked / np.mean(_squared_hann(band.length) ** 2) - 2, dtype=np.float32)


@lru_cache(maxsize=256)
def _squared_hann(length: int) -> Float32:
    """Return the squared Hann taper, scaled to a mean of 1."""
    squared = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)) ** 2
    return np.asarray(squared / squared.mean(), dtype=np.float32)
