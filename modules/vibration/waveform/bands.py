"""Choice of the band whose envelope is taken: where the bearing's lines, or else impacts, stand out most."""

from collections.abc import Sequence

import numpy as np

from modules.vibration.waveform.envelope import Band, envelope_kurtosis, envelope_spectrum, smooth
from modules.vibration.waveform.orders import Orders, order_levels
from modules.vibration.waveform.spectrum import Complex64

_PIECES = 12  # of the range up to half the rate
_WIDTHS = (2, 4)  # of a band, in pieces


def candidates(length: int) -> list[Band]:
    """Return the bands to choose from, for windows of `length` samples.

    Bands of a sixth and a third of the range, half overlapping, and two wide ones, as in the kurtogram's tree of
    bandwidths (Antoni 2007, Fast computation of the kurtogram for the detection of transient faults, section 3). None
    is narrower: two steady lines in a narrow band beat, and a beat looks like a bearing line. The lowest twenty-fourth
    (shaft and its harmonics) and the highest (anti-aliasing filter) are left out.
    """
    unit = length / 2 / _PIECES
    pieces = [
        (1 + step * width / 2, 1 + step * width / 2 + width)
        for width in _WIDTHS
        for step in range(2 * (_PIECES - 2 - width) // width + 1)
    ]
    return [_band(round(low * unit), round(high * unit)) for low, high in [*pieces, (1, 11), (4, 10)]]


def choose(spectra: Complex64, resolution: float, length: int, turns_hz: float | None, orders: Orders | None) -> Band:
    """Return the best band for windows of `length` samples; `spectra`: complex64[n, bins] of some recent ones.

    With speed and bearing known: the band in which one part's lines stand out most of the mean envelope spectrum (the
    aim of the protrugram: Barszcz, Jablonski 2011, A novel method for the optimal band selection for vibration signal
    demodulation). Without: the one with the largest kurtosis of the envelope (Antoni 2007), the median over the
    windows, so that one knock from outside does not decide.
    """
    bands = candidates(length)
    if orders is not None and turns_hz:
        levels = _line_levels(spectra, bands, resolution, turns_hz, orders)
    else:
        levels = [float(np.median(envelope_kurtosis(spectra, band))) for band in bands]
    return bands[levels.index(max(levels))]


def _line_levels(
    spectra: Complex64, bands: Sequence[Band], resolution: float, turns_hz: float, orders: Orders
) -> list[float]:
    """Return for each band how far the most prominent part's lines stand out; bands of one width are read together."""
    levels = np.zeros(len(bands))
    widths = np.array([band.length for band in bands])
    for width in np.unique(widths):
        alike = np.flatnonzero(widths == width).tolist()
        power = np.stack([envelope_spectrum(spectra, bands[place]).mean(axis=0) for place in alike])
        levels[alike] = order_levels(power, resolution, turns_hz, orders).max(axis=1)
    return [float(level) for level in levels]


def _band(low: int, high: int) -> Band:
    """Return the band from `low`, its length cut to factors of 2, 3 and 5: a prime one costs five times as much."""
    return Band(low, low + smooth(high - low))
