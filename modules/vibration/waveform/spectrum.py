"""Amplitude spectrum: band levels, the strongest line of each band, velocity severity."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from modules.vibration.waveform.features import CACHED, Float32, Float64

Complex64 = NDArray[np.complex64]

VELOCITY_BAND = (10.0, 1000.0)  # Hz, ISO 20816-1:2016, 4.2


@dataclass(frozen=True, slots=True)
class Plan:
    """What is the same for all windows of one length and rate: the taper and the weights of the bands."""

    taper: Float32
    weights: Float32  # [bins, bands + 1]: power -> mean square of each band; last column: of velocity
    edges: NDArray[np.intp]  # bins at which bands begin, and the end of the last
    resolution: float  # Hz per bin
    gain: float  # amplitude of a line per unit of |X|


@lru_cache(maxsize=64)
def plan(length: int, rate_hz: float, bands: tuple[tuple[float, float], ...]) -> Plan:
    """Prepare for windows of `length` samples taken at `rate_hz`; `bands` are (low, high) in Hz, low included.

    Hann taper w. A line's amplitude is 2 |X| / sum(w) (coherent gain); the mean square of a band is
    2 sum |X|^2 / (N sum(w^2)) (noise bandwidth): Heinzel, Ruediger, Schilling 2002, Spectrum and spectral density
    estimation by the DFT, sections 8 and 9. Velocity is acceleration divided by 2 pi f, line by line.
    """
    taper = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)).astype(np.float32)
    frequency = np.fft.rfftfreq(length, 1 / rate_hz)
    one_sided = np.full(frequency.size, 2.0)
    one_sided[0] = 1.0
    if length % 2 == 0:
        one_sided[-1] = 1.0
    density = one_sided / (length * float(np.sum(taper.astype(np.float64) ** 2)))
    weights = np.zeros((frequency.size, len(bands) + 1))
    for number, (low, high) in enumerate(bands):
        inside = (frequency >= low) & (frequency < high)
        weights[inside, number] = density[inside]
    inside = (frequency >= VELOCITY_BAND[0]) & (frequency <= VELOCITY_BAND[1])
    weights[inside, -1] = density[inside] / (2 * np.pi * frequency[inside]) ** 2
    edges = np.array([np.searchsorted(frequency, edge) for band in bands for edge in band], dtype=np.intp)
    return Plan(
        taper=taper,
        weights=weights.astype(np.float32),
        edges=edges,
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

    Arrays are float64[n, bands]; `velocity` float64[n].
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
    squares = np.maximum((power @ prepared.weights).astype(np.float64), 0)
    rows = np.arange(power.shape[0])
    hertz, amplitude = [], []
    for low, high in prepared.edges.reshape(-1, 2):
        if high <= low:
            hertz.append(np.zeros(rows.size))
            amplitude.append(np.zeros(rows.size))
            continue
        top = low + power[:, low:high].argmax(axis=1)
        position, height = _line(power, rows, top)
        hertz.append(position * prepared.resolution)
        amplitude.append(height * prepared.gain)
    return SpectrumFeatures(
        band_rms=np.sqrt(squares[:, :-1]),
        line_hz=np.stack(hertz, axis=1) if hertz else np.zeros((rows.size, 0)),
        line_amplitude=np.stack(amplitude, axis=1) if amplitude else np.zeros((rows.size, 0)),
        velocity=np.sqrt(squares[:, -1]),
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
