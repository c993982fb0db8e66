"""Velocity zones: the standard's figures, and what is said of them."""

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import signal as scipy_signal

from modules.vibration.waveform.blocks import Block
from modules.vibration.waveform.core import WaveformCore
from modules.vibration.waveform.rules import Cutting, WaveformRule
from modules.vibration.waveform.spectrum import plan, spectrum_features, transform
from modules.vibration.waveform.zones import CLASSES, Zones

RATE = 12_000.0
START = 1_700_000_000.0


@pytest.mark.parametrize(
    ("machine", "velocity", "zone"),
    [
        ("ISO 20816-3 group 2, rigid", 1.4e-3, "A"),
        ("ISO 20816-3 group 2, rigid", 1.5e-3, "B"),
        ("ISO 20816-3 group 2, rigid", 4.5e-3, "C"),
        ("ISO 20816-3 group 2, rigid", 4.6e-3, "D"),
        ("ISO 20816-3 group 1, flexible", 4.6e-3, "B"),
        ("ISO 10816-1 class I", 4.6e-3, "D"),
        ("ISO 10816-1 class IV", 4.6e-3, "B"),
    ],
)
def test_the_class_decides_the_zone(machine: str, velocity: float, zone: str) -> None:
    assert Zones(machine=machine).of(velocity) == zone


def test_a_class_of_ones_own_brings_its_limits() -> None:
    assert Zones(machine="spindle 4", limits_mm_s=(0.1, 0.2, 0.3)).of(0.25e-3) == "C"
    for bad in ({"machine": "spindle 4"}, {"limits_mm_s": (2.0, 1.0, 3.0)}, {"limits_mm_s": (0.0, 1.0, 3.0)}):
        with pytest.raises(ValidationError):
            Zones.model_validate(bad)
    assert all(low < middle < high for low, middle, high in CLASSES.values())


def test_velocity_equals_integration_in_time() -> None:
    """Acceleration in the band, integrated sample by sample: scipy's Butterworth and a cumulative sum."""
    rng = np.random.default_rng(3)
    noise = scipy_signal.sosfilt(
        scipy_signal.butter(6, (20, 500), "band", fs=RATE, output="sos"), rng.normal(size=240_000)
    )
    windows = noise.astype(np.float32).reshape(10, 24_000)
    prepared = plan(24_000, RATE, ())
    found = np.sqrt(np.mean(spectrum_features(transform(windows, prepared), prepared).velocity ** 2))
    velocity = scipy_signal.detrend(np.cumsum(noise) / RATE)
    assert found == pytest.approx(float(np.std(velocity)), rel=0.05)


def test_a_window_shorter_than_a_second_tells_no_velocity() -> None:
    for length, known in ((11_999, False), (12_000, True)):
        prepared = plan(length, RATE, ())
        rows = np.ones((1, length), dtype=np.float32)
        assert bool(np.isfinite(spectrum_features(transform(rows, prepared), prepared).velocity[0])) is known


@pytest.mark.parametrize(
    ("mm_s", "severity", "zone"), [(1.0, None, "A"), (3.5, "warning", "C"), (6.0, "critical", "D")]
)
def test_zones_c_and_d_raise_an_alert(mm_s: float, severity: str | None, zone: str) -> None:
    time = np.arange(60_000) / RATE
    wave = mm_s / 1000 * np.sqrt(2) * 2 * np.pi * 50 * np.sin(2 * np.pi * 50 * time)
    core = WaveformCore([WaveformRule(kurtosis=None, order=None)], Cutting())
    block = Block(wave.astype(np.float32), RATE, START, 1, 3000.0)
    found = core.handle("fan", block, "m/s2", now=START).findings
    assert [(each.rule, each.severity) for each in found] == ([("velocity", severity)] if severity else [])
    channel = core.channel("fan")
    assert channel is not None
    assert channel.last_judged is not None
    assert channel.last_judged.zone == zone
    if found:
        assert found[0].evidence["machine"] == "ISO 20816-3 group 2, rigid"
        assert found[0].value == pytest.approx(mm_s / 1000, rel=0.01)
