"""Clipped and dead accelerometers are told; loud and coarse ones are believed."""

import numpy as np
import pytest

from devices.rolling_bearing import Bearing, Machine
from modules.vibration.waveform.blocks import Block
from modules.vibration.waveform.core import WaveformCore
from modules.vibration.waveform.features import Float32
from modules.vibration.waveform.soundness import fault

RATE = 12_000.0
TIME = np.arange(16_384) / RATE


@pytest.mark.parametrize("limit", [0.5, 1.0, 1.5])
def test_a_signal_cut_off_at_its_range_is_clipping(limit: float) -> None:
    wave = 3 * np.sin(2 * np.pi * 437 * TIME) + np.random.default_rng(1).normal(0, 0.3, TIME.size)
    assert fault(np.clip(wave, -limit, limit).astype(np.float32), 0.001) == "clipping"
    assert fault(np.clip(wave, -limit, 100).astype(np.float32), 0.001) == "clipping"


def test_one_value_for_ever_is_no_signal() -> None:
    assert fault(np.full(1000, 2.5, dtype=np.float32), 0.001) == "no signal"


@pytest.mark.parametrize(
    "wave",
    [
        np.sin(2 * np.pi * 5 * TIME),
        np.round(np.sin(2 * np.pi * 5 * TIME) * 200) / 200,
        np.round(np.random.default_rng(1).normal(0, 3, TIME.size)),
        Bearing(Machine(), defect="outer").block(TIME.size, severity=20),
    ],
    ids=["a slow sine", "a slow sine in coarse steps", "noise of a few codes", "strikes"],
)
def test_a_sound_signal_is_believed(wave: Float32) -> None:
    assert fault(np.asarray(wave, dtype=np.float32), 0.001) is None


def test_an_accelerometer_at_fault_raises_an_alert_that_ends() -> None:
    core = WaveformCore()
    sound = np.random.default_rng(1).normal(0, 1, 60_000).astype(np.float32)
    wave = np.concatenate([np.clip(sound, -0.5, 0.5), sound])
    found = []
    for seq, begin in enumerate(range(0, wave.size, 4096)):
        outcome = core.handle("m", Block(wave[begin : begin + 4096], RATE, 1e9 + begin / RATE, seq), "m/s2", now=1e9)
        found += [(each.state, each.label) for each in outcome.findings if each.rule == "sensor"]
    assert found == [("raised", "clipping"), ("cleared", None)]
