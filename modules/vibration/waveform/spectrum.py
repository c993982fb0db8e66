"""Amplitude spectrum: band levels, the strongest line of each band, velocity severity."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from modules.vibration.waveform.features import CACHED, Float32, Float64

Complex64 = NDArray[np.complex64]

VELOCITY_BAND = (10.0, 1000.0)  # Hz, ISO 20816-1:2016, 4.2
_SHORTEST = 1.0  # seconds of a window that tells velocity: ten periods of the band's lowest frequency


@dataclass(frozen=True, slots=True)
class Plan:
    """What is the same for all windows of one length and rate: the taper and the weights of the bands."""

    taper: Float32
    density: Float32  # [bins]: power -> mean square
    edges: tuple[slice, ...]  # bins of each band
    velocity: Float32  # [bins of VELOCITY_BAND]: power -> mean square of velocity
    velocity_bins: slice  # none where the window is too short
    resolution: float  # Hz per bin
    gain: float  # amplitude of a line per unit of |X|


@lru_cache(maxsize=64)
def plan(length: int, rate_hz: float, bands: tuple[tuple[float, float], ...]) -> Plan:
    """Prepare for windows of `length` samples taken at `rate_hz`; `bands` are (low, high) in Hz, low included.

    Hann taper w. A line's amplitude is 2 |X| / sum(w) (coherent gain); the mean square of a band is
    2 sum |X|^2 / (N sum(w^2)) (noise bandwidth): Heinzel, Ruediger, Schilling 2002, Spectrum and spectral density
    estimation by the DFT, sections 8 and 9. Velocity is acceleration divided by 2 pi f, line by line (Randall 2011,
    Vibration-based Condition Monitoring, section 3.2).
    """
    taper = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)).astype(np.float32)
    frequency = np.fft.rfftfreq(length, 1 / rate_hz)
    one_sided = np.full(frequency.size, 2.0)
    one_sided[0] = 1.0
    if length % 2 == 0:
        one_sided[-1] = 1.0
    density = one_sided / (length * float(np.sum(taper.astype(np.float64) ** 2)))
    low, high = VELOCITY_BAND
    high = high if length >= _SHORTEST * rate_hz * (1 - 1e-6) else 0.0
    slow = slice(int(np.searchsorted(frequency, low)), int(np.searchsorted(frequency, high, side="right")))
    velocity = density[slow] / (2 * np.pi * frequency[slow]) ** 2
    return Plan(
        taper=taper,
        density=density.astype(np.float32),
        edges=tuple(slice(*np.searchsorted(frequency, band).tolist()) for band in bands),
        velocity=velocity.astype(np.float32),
        velocity_bins=slow,
        resolution=rate_hz / length,
        gain=2 / float(np.sum(taper.astype(np.float64))),
    )


def transform(windows: Float32, prepared: Plan) -> Complex64:
    """Return the tapered discrete Fourier transform of each row: complex64[n, m // 2 + 1]."""
    rows, length = windows.shape
    spectra = np.empty((rows, length // 2 + 1), dtype=np.complex64)
    step = max(1, CACHED // length)
    for begin in range(0, rows, step):
        part = slice(begin, begin + step)
        np.fft.rfft(windows[part] * prepared.taper, axis=1, out=spectra[part])
    return spectra


@dataclass(frozen=True, slots=True)
class SpectrumFeatures:
    """Of n windows of acceleration in m/s2: RMS of each band and its strongest line; RMS of velocity in m/s.

    Arrays are float64[n, bands]; `velocity` float64[n], NaN for windows shorter than a second.
    """

    band_rms: Float64
    line_hz: Float64
    line_amplitude: Float64
    velocity: Float64


def spectrum_features(spectra: Complex64, prepared: Plan) -> SpectrumFeatures:
    """Compute levels and lines of `spectra` as made by `transform`.

    A line between two bins is read off the Hann taper's known main lobe (Grandke 1983, Interpolation algorithms for
    discrete Fourier transforms of weighted signals, eqs. 9 and 12): without that up to 15 % of its height is missing.
    """
    power = spectra.real**2
    power += spectra.imag**2
    rows = np.arange(power.shape[0])
    found = np.zeros((3, rows.size, len(prepared.edges)))
    for number, bins in enumerate(prepared.edges):
        if bins.start == bins.stop:
            continue
        # Row by row: as one matrix product BLAS would put threads on it, which cost more than they bring.
        square = np.vecdot(power[:, bins], prepared.density[bins])
        position, height = _line(power, rows, bins.start + power[:, bins].argmax(axis=1))
        found[:, :, number] = np.sqrt(square), position * prepared.resolution, height * prepared.gain
    bins = prepared.velocity_bins
    told = bins.stop > bins.start
    velocity = np.vecdot(power[:, bins], prepared.velocity) if told else np.full(rows.size, np.nan)
    return SpectrumFeatures(
        band_rms=found[0],
        line_hz=found[1],
        line_amplitude=found[2],
        velocity=np.sqrt(velocity, dtype=np.float64),
    )


def _line(power: Float32, rows: NDArray[np.intp], top: NDArray[np.intp]) -> tuple[Float64, Float64]:
    last = power.shape[1] - 1
    centre = np.sqrt(power[rows, top].astype(np.float64))
    left = np.sqrt(power[rows, np.maximum(top - 1, 0)].astype(np.float64))
    right = np.sqrt(power[rows, np.minimum(top + 1, last)].astype(np.float64))
    ratio = np.maximum(left, right) / np.where(centre > 0, centre, 1)
    delta = np.clip((2 * ratio - 1) / (ratio + 1), 0, 0.5)
    height = centre * (1 - delta**2) / np.sinc(delta)
    return top + np.where(right >= left, delta, -delta), height
