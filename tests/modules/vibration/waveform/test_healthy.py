"""Healthy bearings over speeds and loads: nothing may be said of them, hour after hour."""

from collections.abc import Callable

import numpy as np
import pytest

from devices.rolling_bearing import Bearing, Machine
from modules.vibration.waveform.blocks import Block
from modules.vibration.waveform.core import WaveformCore
from modules.vibration.waveform.features import Float32
from modules.vibration.waveform.rules import Cutting, WaveformRule

RATE = 12_000.0
START = 1_700_000_000.0
BLOCK = 4096
HOURS = 4.0


def machine(number: int) -> tuple[Bearing, float]:
    """A machine of its own speed, unbalance and noise, with what else is heard in a hall: mains hum and a gear."""
    rng = np.random.default_rng((7, number))
    rpm = float(rng.uniform(700, 3600))
    # The same velocity at every speed, in zone A or B.
    unbalance = float(rng.uniform(0.05, 0.35)) * rpm / 1800
    bearing = Bearing(Machine(rpm=rpm, unbalance=unbalance, noise=float(rng.uniform(0.2, 3.0))), seed=number)
    return bearing, rpm


def heard(bearing: Bearing, rpm: float, begin: int) -> Float32:
    time = (begin + np.arange(BLOCK)) / RATE
    load = 1 + 0.15 * np.sin(2 * np.pi * time / 37.0)  # it comes and goes in half a minute
    mesh = 0.3 * np.sin(2 * np.pi * 23 * rpm / 60 * time) * (1 + 0.2 * np.sin(2 * np.pi * rpm / 60 * time))
    hum = 0.1 * np.sin(2 * np.pi * 100 * time)
    return np.asarray((bearing.block(BLOCK) + mesh + hum) * load, dtype=np.float32)


def watch(number: int, hours: float, *, told: bool) -> tuple[int, float, list[str]]:
    """Windows judged, the highest level of a bearing line, and what was said."""
    bearing, rpm = machine(number)
    rule = WaveformRule() if told else WaveformRule(rpm=round(rpm / 50) * 50, rpm_within=0.04)
    core = WaveformCore([rule], Cutting(window_s=1.3653333, hop_s=0.6826667))
    windows, highest = 0, 0.0
    said: list[str] = []
    for seq in range(int(hours * 3600 * RATE / BLOCK)):
        samples = heard(bearing, rpm, seq * BLOCK)
        block = Block(samples, RATE, START + seq * BLOCK / RATE, seq, rpm if told else None)
        outcome = core.handle("m", block, "m/s2", now=START)
        windows += outcome.windows
        said += [f"{number}: {each.text}" for each in outcome.findings]
        channel = core.channel("m")
        if outcome.windows and channel is not None and channel.last_judged is not None:
            highest = max(highest, float(channel.last_judged.levels.max()))
    return windows, highest, said


@pytest.mark.parametrize("number", range(3))
def test_a_healthy_machine_is_left_in_peace_for_a_minute(number: int) -> None:
    assert watch(number, 1 / 60, told=number != 1)[2] == []


@pytest.mark.soak
def test_healthy_machines_are_left_in_peace_for_hours(show: Callable[[str], None]) -> None:
    windows, highest = 0, 0.0
    said: list[str] = []
    machines = 32
    for number in range(machines):
        more, level, words = watch(number, HOURS / machines, told=number % 4 != 3)
        windows, highest, said = windows + more, max(highest, level), said + words
    show(
        f"{machines} healthy machines, {HOURS:g} hours, {windows} windows: {len(said)} findings,"
        f" highest bearing line {highest:.2f}"
    )
    assert said == []
