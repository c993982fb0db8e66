"""Summaries go up when they say something new."""

from collections.abc import Iterator

import numpy as np
import orjson
import pytest

from devices.rolling_bearing import Bearing, Machine
from modules.vibration.waveform.blocks import Block
from modules.vibration.waveform.core import Summary, WaveformCore
from modules.vibration.waveform.features import Float32
from modules.vibration.waveform.rules import Cutting, WaveformRule

RATE = 2_000.0
START = 1_700_000_000.0


def summaries(core: WaveformCore, signal: Float32, *, rpm: float | None = None) -> Iterator[Summary]:
    for seq, begin in enumerate(range(0, signal.size, 1000)):
        block = Block(signal[begin : begin + 1000], RATE, START + begin / RATE, seq, rpm)
        yield from core.handle("m", block, "m/s2", now=START).summaries


def core(least: float = 1e9) -> WaveformCore:
    return WaveformCore([WaveformRule(rpm_range=None, kurtosis=None)], Cutting(), every=10.0, least=least)


def test_a_machine_that_runs_as_before_is_summed_up_once() -> None:
    noise = np.random.default_rng(1).normal(0, 1, 150 * 2000).astype(np.float32)
    assert len(list(summaries(core(), noise))) == 1
    assert len(list(summaries(core(least=40.0), noise))) == pytest.approx(4, abs=1)


@pytest.mark.parametrize("factor", [1.5, 0.7])
def test_another_level_is_told_once(factor: float) -> None:
    noise = np.random.default_rng(1).normal(0, 1, 120 * 2000).astype(np.float32)
    noise[60 * 2000 :] *= np.float32(factor)
    told = [round(each.trend.start - START) for each in summaries(core(), noise)]
    # The period in which it changes may lie between both, then comes the first that is all new.
    assert told[0] == 0
    assert 2 <= len(told) <= 3
    assert 50 <= told[-1] <= 71


def test_a_gap_and_another_zone_are_told() -> None:
    signal = np.random.default_rng(1).normal(0, 1, 60 * 2000).astype(np.float32)
    held, told = core(), []
    for seq, begin in enumerate(range(0, signal.size, 1000)):
        if seq == 60:
            continue  # this block is lost
        block = Block(signal[begin : begin + 1000], RATE, START + begin / RATE, seq, None)
        told += held.handle("m", block, "m/s2", now=START).summaries
    assert [each.trend.gaps for each in told] == [0, 1]
    loud = np.sin(2 * np.pi * 50 * np.arange(signal.size) / RATE, dtype=np.float64)
    growing = (loud * np.linspace(1.6, 1.9, signal.size)).astype(np.float32)  # 3.6 to 4.3 mm/s, from C to C: no news
    assert len(list(summaries(core(), growing))) == 1
    growing = (loud * np.linspace(1.9, 2.1, signal.size)).astype(np.float32)  # past 4.5 mm/s: zone D
    assert [each.trend.zone for each in summaries(core(), growing)] == ["C", "D"]


def test_a_slow_shaft_is_judged_over_several_windows_and_a_slower_one_not_at_all() -> None:
    lines = {}
    for rpm in (1200.0, 660.0, 300.0):
        held = WaveformCore((), Cutting(window_s=1.3653333, hop_s=0.6826667))
        signal = Bearing(Machine(rpm=rpm), defect="outer", seed=3).block(14 * 12_288, severity=12)
        for seq, begin in enumerate(range(0, signal.size, 4096)):
            block = Block(signal[begin : begin + 4096], 12_000.0, START + begin / 12_000, seq, rpm)
            held.handle("m", block, "m/s2", now=START)
        channel = held.channel("m")
        assert channel is not None
        assert channel.last_judged is not None
        lines[rpm] = (channel.span, float(channel.last_judged.levels[0]))
    assert lines[1200.0][0] == 2
    assert lines[660.0][0] == 2
    assert lines[300.0] == (1, 0.0)
    assert lines[1200.0][1] > 20
    assert lines[660.0][1] > 20


def test_short_windows_are_summed_up_without_velocity_across_a_restart() -> None:
    noise = np.random.default_rng(1).normal(0, 1, 8 * 2000).astype(np.float32)
    before = WaveformCore(cutting=Cutting(window_s=0.5, hop_s=0.25), every=1e9)
    list(summaries(before, noise))
    after = WaveformCore(cutting=Cutting(window_s=0.5, hop_s=0.25), every=1e9)
    after.restore(orjson.loads(orjson.dumps(before.saved())))
    list(summaries(after, noise))
    (summary,) = after.tick(START + 100, silent=1.0)
    document = summary.trend.document()
    assert (document["velocity"], document["zone"], document["partial"]) == (None, None, True)
    assert document["count"] == 2 * 31
