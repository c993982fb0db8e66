"""Every feature against scipy in float64 or a closed form."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal, stats

from modules.vibration.waveform.features import Float32, time_features
from modules.vibration.waveform.spectrum import plan, spectrum_features, transform

RATE = 12_000.0


def sines(*lines: tuple[float, float], length: int = 12_000) -> Float32:
    time = np.arange(length) / RATE
    wave = sum(amplitude * np.sin(2 * np.pi * hertz * time + 0.3) for hertz, amplitude in lines)
    return np.asarray(wave, dtype=np.float32)[np.newaxis]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 5),
    st.integers(64, 20_000),
    st.sampled_from(["normal", "laplace", "uniform", "exponential"]),
    st.sampled_from([0.0, 1.0, -1000.0]),
    st.sampled_from([1e-3, 1.0, 1e4]),
    st.integers(0, 1000),
)
def test_time_features_equal_scipys(rows: int, length: int, kind: str, offset: float, scale: float, seed: int) -> None:
    random = getattr(np.random.default_rng(seed), kind)
    windows = (scale * (random(size=(rows, length)) + offset)).astype(np.float32)
    exact = windows.astype(np.float64)
    features = time_features(windows)
    rms, peak, size = np.sqrt((exact**2).mean(axis=1)), np.abs(exact).max(axis=1), np.abs(exact).mean(axis=1)
    np.testing.assert_allclose(features.mean, exact.mean(axis=1), rtol=2e-5, atol=2e-5 * scale)
    np.testing.assert_allclose(features.rms, rms, rtol=2e-5)
    np.testing.assert_allclose(features.peak, peak, rtol=1e-7)
    np.testing.assert_allclose(features.crest, peak / rms, rtol=2e-5)
    np.testing.assert_allclose(features.shape, rms / size, rtol=2e-5)
    np.testing.assert_allclose(features.impulse, peak / size, rtol=2e-5)
    np.testing.assert_allclose(features.kurtosis, stats.kurtosis(exact, axis=1, fisher=False), rtol=5e-4)
    np.testing.assert_allclose(features.skewness, stats.skew(exact, axis=1), rtol=5e-4, atol=5e-4)


def test_a_sine_has_its_textbook_figures() -> None:
    features = time_features(sines((100.0, 2.0)))
    assert features.rms[0] == pytest.approx(np.sqrt(2), rel=1e-6)
    assert features.crest[0] == pytest.approx(np.sqrt(2), rel=1e-3)
    assert features.kurtosis[0] == pytest.approx(1.5, rel=1e-5)
    assert features.shape[0] == pytest.approx(np.pi / (2 * np.sqrt(2)), rel=1e-4)
    assert features.skewness[0] == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_a_constant_signal_has_no_shape(value: float) -> None:
    features = time_features(np.full((1, 1000), value, dtype=np.float32))
    assert features.rms[0] == value
    assert features.kurtosis[0] == 0
    assert features.skewness[0] == 0
    assert features.crest[0] == (1 if value else 0)


@given(st.floats(300, 5600), st.floats(0.1, 100))
@settings(max_examples=60, deadline=None)
def test_a_line_keeps_its_height_wherever_it_lies_between_bins(hertz: float, amplitude: float) -> None:
    prepared = plan(4096, RATE, ((0.0, 6000.0),))
    found = spectrum_features(transform(sines((hertz, amplitude), length=4096), prepared), prepared)
    assert found.line_hz[0, 0] == pytest.approx(hertz, abs=0.02 * prepared.resolution)
    assert found.line_amplitude[0, 0] == pytest.approx(amplitude, rel=2e-3)
    assert found.band_rms[0, 0] == pytest.approx(amplitude / np.sqrt(2), rel=1e-3)


def test_bands_split_the_power_as_welch_does() -> None:
    rng = np.random.default_rng(1)
    samples = rng.normal(0, 2, (1, 48_000)).astype(np.float32)
    bands = ((0.0, 1000.0), (1000.0, 3000.0), (3000.0, 6000.0))
    prepared = plan(48_000, RATE, bands)
    found = spectrum_features(transform(samples, prepared), prepared).band_rms[0]
    hertz, density = signal.periodogram(samples[0].astype(float), RATE, window="hann", detrend=False)
    for (low, high), rms in zip(bands, found, strict=True):
        inside = (hertz >= low) & (hertz < high)
        assert rms == pytest.approx(np.sqrt(density[inside].sum() * hertz[1]), rel=1e-4)
    assert np.sqrt((found**2).sum()) == pytest.approx(2, rel=0.02)


def test_velocity_is_acceleration_over_angular_frequency() -> None:
    prepared = plan(12_000, RATE, ())
    found = spectrum_features(transform(sines((50.0, 3.0), (2000.0, 50.0)), prepared), prepared)
    assert found.velocity[0] == pytest.approx(3 / np.sqrt(2) / (2 * np.pi * 50), rel=1e-3)
