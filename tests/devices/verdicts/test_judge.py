"""Verdicts from summaries: each reason alone, the comparison within a group, and the real recordings."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from devices.verdicts.judge import document, judge, table
from devices.verdicts.summaries import Summary, merge
from modules.vibration.waveform.blocks import Block
from modules.vibration.waveform.core import WaveformCore
from modules.vibration.waveform.orders import PARTS
from modules.vibration.waveform.rules import Cutting


def told(name: str, **more: Any) -> dict[str, Any]:
    facts = {
        "sensor": name,
        "group": "bearings",
        "count": 10,
        "kurtosis": 3.0,
        "rms": 1.0,
        "velocity": 0.001,
        "zone": "A",
        "rpm": 1772.0,
        "bands": [0.5, 0.1],
        "orders": [2.0, 2.0, 2.0, 1.0],
    }
    return facts | more


def merged(*sensors: dict[str, Any]) -> list[Summary]:
    return merge([{"of": "waveforms", "parts": list(PARTS), "sensors": [each]} for each in sensors])


@pytest.mark.parametrize(
    ("facts", "reason", "part"),
    [
        ({"orders": [2.0, 9.0, 3.0, 1.0]}, "inner race lines 9.0", "inner race"),
        ({"kurtosis": 6.0}, "impacts 6.0", None),
        ({"bands": [0.5, 0.3], "rms": 1.1}, "band 2 of 2 louder by 10 dB", None),
    ],
)
def test_each_reason_alone_makes_a_sensor_faulty(facts: dict[str, Any], reason: str, part: str | None) -> None:
    well, sick = judge(merged(told("a"), told("b", **facts)))
    assert not well.faulty
    assert (sick.reasons, sick.part) == ((reason,), part)


def test_only_like_is_compared_with_like() -> None:
    verdicts = judge(merged(told("a"), told("fan", group="fans", bands=[5.0, 5.0], rms=9.0), told("b", bands=[1.0])))
    assert [each.faulty for each in verdicts] == [False, False, False]


def test_summaries_of_one_sensor_are_weighted_by_their_windows() -> None:
    (summary,) = merged(
        told("a", count=30, kurtosis=2.0, rms=1.0), told("a", count=10, kurtosis=6.0, rms=3.0, zone="C")
    )
    assert (summary.windows, summary.kurtosis, summary.zone) == (40, 3.0, "C")
    assert summary.rms == pytest.approx(np.sqrt((30 * 1 + 10 * 9) / 40))


def test_the_table_and_the_document_say_the_same() -> None:
    verdicts = judge(merged(told("a"), told("b", kurtosis=6.0, velocity=None)))
    assert "1 of 2 faulty, 0 with the part named" in table(verdicts)
    assert [each["faulty"] for each in document(verdicts)] == [False, True]


@pytest.fixture(scope="module")
def real_summaries(real_data: Path) -> list[Summary]:
    core = WaveformCore(cutting=Cutting(window_s=1.3653333, hop_s=0.6826667), every=1e9)
    for file in sorted((real_data / "cwru_de12k").glob("*/*.npz")):
        with np.load(file) as archive:
            signal = (archive["signal"] * np.float32(9.80665)).astype(np.float32)
            rpm = float(archive["rpm"])
        for seq, begin in enumerate(range(0, signal.size, 4096)):
            block = Block(signal[begin : begin + 4096], 12_000.0, 1.7e9 + begin / 12_000, seq, rpm)
            core.handle(file.stem, block, "m/s2", now=1.7e9)
    sensors = [{"sensor": each.sensor, "group": each.group, **each.trend.document()} for each in core.tick(2e9, 1.0)]
    return merge([{"of": "waveforms", "parts": list(PARTS), "sensors": sensors}])


def test_the_faulty_recordings_are_named_and_the_normal_one_is_not(real_summaries: list[Summary]) -> None:
    verdicts = {each.summary.sensor: each for each in judge(real_summaries)}
    assert len(verdicts) == 28
    assert not verdicts["normal_0hp"].faulty
    assert sum(each.faulty for each in verdicts.values()) >= 26


def test_parts_are_named_where_their_lines_show(real_summaries: list[Summary]) -> None:
    """Smith, Randall 2015 (benchmark of these recordings): balls and the 14 mil outer race do not show theirs."""
    for each in judge(real_summaries):
        name = each.summary.sensor
        if name.startswith("IR"):
            assert each.part == "inner race", name
        if name.startswith(("OR007", "OR021")):
            assert each.part == "outer race", name


def test_without_the_normal_machine_most_are_named_all_the_same(real_summaries: list[Summary]) -> None:
    """The quietest of a group is its measure; here the quietest is itself faulty."""
    verdicts = judge([each for each in real_summaries if each.sensor != "normal_0hp"])
    assert sum(each.faulty for each in verdicts) >= 21
