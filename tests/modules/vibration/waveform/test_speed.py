"""Speed read from the signal: right within a slip, or not told."""

from pathlib import Path

import numpy as np
import pytest

from devices.rolling_bearing import Bearing, Defect, Machine
from modules.vibration.waveform.blocks import Block
from modules.vibration.waveform.core import WaveformCore
from modules.vibration.waveform.features import Float32
from modules.vibration.waveform.orders import Orders
from modules.vibration.waveform.rules import Cutting, WaveformRule
from modules.vibration.waveform.spectrum import plan, transform
from modules.vibration.waveform.speed import Listener

RATE = 12_000.0
LENGTH = 16_384
PASSES = Orders.of(9, 7.94, 39.04).passes
START = 1_700_000_000.0


def heard(signal: Float32, low_rpm: float, high_rpm: float) -> float | None:
    """What a listener says at the end, turns a minute."""
    prepared, listener, found = plan(LENGTH, RATE, ()), Listener(), None
    for begin in range(0, signal.size - LENGTH + 1, LENGTH // 2):
        spectra = transform(signal[np.newaxis, begin : begin + LENGTH], prepared)
        found = listener.hear(spectra, prepared.resolution, low_rpm / 60, high_rpm / 60, PASSES)
    return None if found is None else 60 * found


@pytest.mark.parametrize("rpm", [600.0, 1797.0, 2950.0])
@pytest.mark.parametrize("defect", [None, "outer", "inner", "ball"])
def test_near_a_nominal_speed_the_true_one_is_read(rpm: float, defect: Defect | None) -> None:
    signal = Bearing(Machine(rpm=rpm), defect=defect, seed=5).block(50_000, severity=8)
    assert heard(signal, 0.96 * rpm, 1.05 * rpm) == pytest.approx(rpm, rel=2e-3)


@pytest.mark.parametrize("rpm", [600.0, 1200.0, 1797.0, 3550.0])
@pytest.mark.parametrize("defect", ["outer", "inner", "ball"])
def test_without_a_hint_it_is_right_or_not_told(rpm: float, defect: Defect | None) -> None:
    signal = Bearing(Machine(rpm=rpm), defect=defect, seed=6).block(50_000, severity=12)
    found = heard(signal, 300, 6000)
    assert found is None or found == pytest.approx(rpm, rel=5e-3)


def test_a_machine_with_six_harmonics_is_read_without_a_hint() -> None:
    rng = np.random.default_rng(1)
    time = np.arange(50_000) / RATE
    for rpm in rng.uniform(700, 5500, 10).tolist():
        wave = sum(np.sin(2 * np.pi * number * rpm / 60 * time + number) / number for number in range(1, 7))
        signal = (wave + rng.normal(0, 0.5, time.size)).astype(np.float32)
        assert heard(signal, 300, 6000) == pytest.approx(rpm, rel=2e-3)


def test_noise_tells_no_speed() -> None:
    rng = np.random.default_rng(2)
    for _ in range(12):
        noise = rng.normal(0, 1, 50_000).astype(np.float32)
        assert heard(noise, 300, 6000) is None
        assert heard(noise, 1700, 1800) is None


def test_a_nominal_speed_names_the_part_all_the_same() -> None:
    rule = WaveformRule(rpm=1800, rpm_within=0.05)
    core = WaveformCore([rule], Cutting(window_s=LENGTH / RATE, hop_s=LENGTH / RATE / 2))
    signal = Bearing(Machine(rpm=1728.0), defect="inner", seed=7).block(10 * LENGTH, severity=10)
    labels = set()
    for seq, begin in enumerate(range(0, signal.size, 4096)):
        block = Block(signal[begin : begin + 4096], RATE, START + begin / RATE, seq)
        labels |= {each.label for each in core.handle("m", block, "m/s2", now=START).findings if each.rule == "bearing"}
    channel = core.channel("m")
    assert channel is not None
    assert channel.estimated
    assert channel.rpm == pytest.approx(1728, rel=2e-3)
    assert labels == {"inner race"}


def test_the_speed_of_real_machines_is_read_from_their_nameplate(real_data: Path) -> None:
    """28 recordings, 1721 to 1797 rpm: all within 1.5 % (what rolling elements slip) of the speed on record."""
    for file in sorted((real_data / "cwru_de12k").glob("*/*.npz")):
        with np.load(file) as archive:
            signal, rpm = archive["signal"][:45_000].astype(np.float32), float(archive["rpm"])
        assert heard(signal, 1750 * 0.95, 1750 * 1.05) == pytest.approx(rpm, rel=0.015), file.stem
        found = heard(signal, 300, 6000)
        assert found is None or found == pytest.approx(rpm, rel=0.015), file.stem
