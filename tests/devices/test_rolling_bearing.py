from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from devices.rolling_bearing import Bearing, Defect, Geometry, Machine

RATE = 12_000


def envelope_orders(signal: NDArray[np.float32], rpm: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """Orders and amplitudes of the envelope round the resonance, by the analytic signal."""
    spectrum = np.fft.fft(signal)
    frequencies = np.fft.fftfreq(signal.size, 1 / RATE)
    band = np.where((frequencies > 2400) & (frequencies < 4000), 2 * spectrum, 0)
    envelope = np.abs(np.fft.ifft(band))
    amplitudes = np.abs(np.fft.rfft((envelope - envelope.mean()) * np.hanning(envelope.size)))
    return np.fft.rfftfreq(signal.size, 1 / RATE) / (rpm / 60), amplitudes


def play(bearing: Bearing, severity: float = 12.0, blocks: int = 12) -> NDArray[np.float32]:
    return np.concatenate([bearing.block(4096, severity=severity) for _ in range(blocks)])


def test_the_6205_has_its_published_orders() -> None:
    geometry = Geometry()
    assert geometry.bpfi == pytest.approx(5.415, abs=2e-3)
    assert geometry.bpfo == pytest.approx(3.585, abs=2e-3)
    assert geometry.ftf == pytest.approx(0.3983, abs=2e-4)
    assert geometry.bsf == pytest.approx(2.357, abs=2e-3)
    assert geometry.bpfi + geometry.bpfo == pytest.approx(geometry.balls)


@pytest.mark.parametrize(("defect", "order"), [("outer", 3.585), ("inner", 5.415), ("ball", 4.714)])
@pytest.mark.parametrize("rpm", [900.0, 1797.0])
def test_the_envelope_shows_the_defects_line(defect: Defect, order: float, rpm: float) -> None:
    signal = play(Bearing(Machine(rpm=rpm), defect=defect))
    orders, amplitudes = envelope_orders(signal, rpm)
    seen = (orders > 2) & (orders < 6.5)
    assert orders[seen][np.argmax(amplitudes[seen])] == pytest.approx(order, abs=0.05)


def test_a_healthy_bearing_has_no_such_line() -> None:
    signal = play(Bearing(Machine()))
    orders, amplitudes = envelope_orders(signal, 1797)
    seen = (orders > 2) & (orders < 6.5)
    assert amplitudes[seen].max() < 6 * np.median(amplitudes[seen])


def test_blocks_join_without_a_seam() -> None:
    quiet = Machine(noise=0.0)
    whole = Bearing(quiet, defect="outer", seed=3).block(12_000, severity=5)
    pieces = Bearing(quiet, defect="outer", seed=3)
    joined = np.concatenate([pieces.block(count, severity=5) for count in (1, 999, 4000, 7000)])
    np.testing.assert_allclose(joined, whole, atol=1e-5)
