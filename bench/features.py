"""Time and spectrum features of waveform windows against scipy, tsfel and a bare FFT of the same windows."""

import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy import stats

from bench.claim import Claim
from modules.vibration.waveform.bands import candidates, choose
from modules.vibration.waveform.envelope import envelope_spectrum
from modules.vibration.waveform.features import time_features
from modules.vibration.waveform.orders import Orders, order_levels
from modules.vibration.waveform.spectrum import plan, spectrum_features, transform

try:
    import tsfel
except ImportError:  # only in requirements/bench.txt
    tsfel = None

Windows = NDArray[np.float32]

RATE = 12_000.0
TURNS = 1772 / 60
_BAND_EVERY = 100  # windows between two choices of the band


def _best(work: Callable[[], object], rounds: int) -> float:
    """Seconds of processor time of the quickest of ``rounds`` runs: what the work costs where nothing disturbs it."""
    work()
    taken = []
    for _ in range(rounds):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return min(taken)


def _windows() -> Windows:
    """256 windows of 4,096 samples: noise with impacts now and then."""
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 1, (256, 4096))
    return (noise + 8 * noise * (rng.random(noise.shape) < 0.01)).astype(np.float32)


def _scipy_features(windows: NDArray[Any]) -> tuple[Any, ...]:
    magnitude = np.abs(windows)
    rms = np.sqrt(np.mean(windows**2, axis=1))
    peak = magnitude.max(axis=1)
    average = magnitude.mean(axis=1)
    kurtosis = stats.kurtosis(windows, axis=1, fisher=False)
    skewness = stats.skew(windows, axis=1)
    return windows.mean(axis=1), rms, peak, peak / rms, kurtosis, skewness, rms / average, peak / average


def _tsfel_features(windows: Windows) -> list[tuple[Any, ...]]:
    """The same eight figures by tsfel's functions, window by window as tsfel works."""
    found = []
    for window in windows:
        rms = tsfel.rms(window)
        peak = float(np.max(np.abs(window)))
        average = float(np.mean(np.abs(window)))
        mean, kurtosis, skewness = tsfel.calc_mean(window), tsfel.kurtosis(window), tsfel.skewness(window)
        found.append((mean, rms, peak, peak / rms, kurtosis, skewness, rms / average, peak / average))
    return found


def _check(windows: Windows) -> None:
    """A quick answer that is wrong is no answer: ours must equal scipy's in float64."""
    ours, theirs = time_features(windows), _scipy_features(windows.astype(np.float64))
    names = ("mean", "rms", "peak", "crest", "kurtosis", "skewness", "shape", "impulse")
    for name, expected in zip(names, theirs, strict=True):
        np.testing.assert_allclose(getattr(ours, name), expected, rtol=1e-4, atol=1e-4, err_msg=name)


def run(*, quick: bool) -> dict[str, Claim]:
    """Measure on 256 windows of 4,096 samples."""
    rounds = 15 if quick else 60
    windows = _windows()
    _check(windows)
    bands = tuple((low, low + 1000.0) for low in range(0, 6000, 1000))
    prepared = plan(windows.shape[1], RATE, bands)
    orders = Orders.of(9, 7.94, 39.04)
    band = candidates(windows.shape[1])[4]

    def everything() -> None:
        time_features(windows)
        spectra = transform(windows, prepared)
        spectrum_features(spectra, prepared)
        power = envelope_spectrum(spectra, band)
        order_levels(power, prepared.resolution, TURNS, orders)

    def choice() -> None:
        spectra = transform(windows[:5], prepared)
        choose(spectra, prepared.resolution, windows.shape[1], TURNS, orders)

    ours = _best(lambda: time_features(windows), rounds)
    theirs = _best(lambda: _scipy_features(windows), rounds)
    bare = _best(lambda: scipy.fft.rfft(windows, axis=1), rounds)
    full = _best(everything, rounds)
    choosing = _best(choice, rounds) * windows.shape[0] / _BAND_EVERY
    claims = {
        "vs_scipy": Claim(theirs / ours, "x", 1.5, 3, "scipy.stats and numpy, axis=1, float32"),
        "vs_rfft": Claim(
            full / bare,
            "rfft",
            12,
            6,
            f"scipy.fft.rfft float32; choosing the band every {_BAND_EVERY} windows: {choosing / bare:.2f} more",
            lower_is_better=True,
        ),
    }
    if tsfel is not None:
        slow = _best(lambda: _tsfel_features(windows), max(2, rounds // 10))
        claims["vs_tsfel"] = Claim(slow / ours, "x", 5, 50, f"tsfel {version('tsfel')}, window by window")
    return claims
