"""The accelerometer's driver against its registers, and what a burst says of a machine."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.devices.esp32.conftest import Refused

if TYPE_CHECKING:
    from tests.devices.esp32.conftest import Served

SCALE = 9.80665 / 256
RATE = 800


@pytest.mark.parametrize("steps", [1, 7, 31])
def test_a_burst_is_every_sample_in_order(leaf: Served, steps: int) -> None:
    samples = np.array(leaf("burst", 500, "", steps)).reshape(-1, 3)
    expected = np.round(3.0 * np.sin(2 * np.pi * 50 * np.arange(500) / RATE) / SCALE)
    assert np.abs(samples[:, 0] - expected).max() <= 1
    assert (samples[:, 1:] == [3, 256]).all()


@pytest.mark.parametrize(
    ("fault", "says"), [("overflow", "samples were lost"), ("silent", "gives no samples"), ("missing", "ENODEV")]
)
def test_a_sensor_that_fails_says_how(leaf: Served, fault: str, says: str) -> None:
    with pytest.raises(Refused, match=says) as caught:
        leaf("burst", 100, fault, 7)
    assert caught.value.kind == "OSError"


@example(hz=200.0, amplitude=1.0, axis=0, offset=0.0, phase=1.0)
@given(
    hz=st.floats(20, 250),
    amplitude=st.floats(0.5, 40),
    axis=st.integers(0, 2),
    offset=st.floats(-10, 10),
    phase=st.floats(0, 6),
)
@settings(max_examples=30)
def test_a_sine_has_the_velocity_of_a_sine(
    leaf: Served, hz: float, amplitude: float, axis: int, offset: float, phase: float
) -> None:
    times = np.arange(800) / RATE
    signal = np.zeros((800, 3))
    signal[:, axis] = amplitude * np.sin(2 * np.pi * hz * times + phase)
    signal[:, 2] += 9.81 + offset
    counts = np.round(signal / SCALE).astype(int)
    velocity, acceleration, peak = leaf("measure", counts.ravel().tolist(), RATE, SCALE)
    # An integrator that forgets below 10 Hz: 1 / sqrt(w^2 + (2 pi 10)^2). Trapezia, half a count of noise: 6 %.
    expected = amplitude / math.sqrt(2) / (2 * math.pi * math.hypot(hz, 10))
    tan = (math.pi * hz / RATE) / math.tan(math.pi * hz / RATE)  # the trapezium rule's own response
    assert velocity == pytest.approx(expected * tan, rel=0.06, abs=6e-5)
    assert acceleration == pytest.approx(amplitude / math.sqrt(2), rel=0.03, abs=SCALE)
    sampled = amplitude * np.abs(np.sin(2 * np.pi * hz * times + phase))  # at 200 Hz four a turn, which miss the crest
    assert peak == pytest.approx(sampled[160:].max(), rel=0.06, abs=2 * SCALE)


def test_a_machine_at_rest_has_no_velocity(leaf: Served) -> None:
    assert leaf("measure", [3, -2, 256] * 500, RATE, SCALE) == [0, 0, 0]


def test_too_short_a_burst_is_refused(leaf: Served) -> None:
    with pytest.raises(Refused, match="more than 160 samples"):
        leaf("measure", [0, 0, 256] * 160, RATE, SCALE)
