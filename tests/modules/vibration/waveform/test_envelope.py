"""The decimated envelope against scipy's Hilbert transform of the whole signal."""

import numpy as np
import pytest
from scipy import signal

from devices.rolling_bearing import Bearing, Machine
from modules.vibration.waveform.envelope import Band, envelope_kurtosis, envelope_spectrum
from modules.vibration.waveform.features import Float32, Float64
from modules.vibration.waveform.spectrum import plan, transform

RATE = 12_000.0
LENGTH = 4096


def squared_envelope(window: Float32, band: Band) -> Float64:
    """Of the tapered window, everything outside the band set to zero, by scipy."""
    tapered = window.astype(np.float64) * np.asarray(signal.windows.hann(LENGTH, sym=False))
    spectrum = np.fft.rfft(tapered)
    spectrum[: band.low] = 0
    spectrum[band.high :] = 0
    return np.abs(np.asarray(signal.hilbert(np.fft.irfft(spectrum, LENGTH)))) ** 2


@pytest.mark.parametrize("band", [Band(853, 1177), Band(171, 1791), Band(400, 720)])
@pytest.mark.parametrize("severity", [0.0, 8.0])
def test_the_envelope_spectrum_equals_that_of_the_hilbert_transform(band: Band, severity: float) -> None:
    window = Bearing(Machine(), defect="outer", seed=2).block(LENGTH, severity=severity)
    squared = squared_envelope(window, band)
    squared /= squared.mean()
    taper = np.asarray(signal.windows.hann(LENGTH, sym=False)) ** 2
    expected = np.abs(np.fft.rfft(squared - taper / taper.mean())) ** 2
    found = envelope_spectrum(transform(window[np.newaxis], plan(LENGTH, RATE, ())), band)[0].astype(np.float64)
    # Ours has fewer points: a line of the sum over them is smaller in that proportion.
    found *= (LENGTH / band.length) ** 2
    lines = band.length // 2  # beyond, both are empty
    np.testing.assert_allclose(found[:lines], expected[:lines], rtol=2e-3, atol=1e-5 * expected.max())


@pytest.mark.parametrize("severity", [0.0, 8.0])
def test_the_envelopes_kurtosis_is_antonis(severity: float) -> None:
    """E|z|^4 / E(|z|^2)^2 - 2, of the whole signal's envelope, with the taper's share divided out."""
    band = Band(853, 1177)
    window = Bearing(Machine(), defect="outer", seed=3).block(LENGTH, severity=severity)
    squared = squared_envelope(window, band)
    taper = np.asarray(signal.windows.hann(LENGTH, sym=False)) ** 2
    share = float(np.mean((taper / taper.mean()) ** 2))
    expected = float(np.mean(squared**2) / np.mean(squared) ** 2) / share - 2
    found = envelope_kurtosis(transform(window[np.newaxis], plan(LENGTH, RATE, ())), band)
    assert found[0] == pytest.approx(expected, rel=1e-3, abs=1e-3)
