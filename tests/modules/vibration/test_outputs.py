"""What goes up, to inference and into records: windows, flags, waveforms, summaries."""

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from modules.common.messages import (
    Alert,
    Message,
    Reading,
    Waveform,
    senml,
)
from tests.modules.vibration.made import START, Ticking, blocks, readings

Run = Callable[..., Any]


def test_windows_go_up_many_sensors_in_one_message_and_quiet_ones_only_once(run_module: Run) -> None:
    clock = Ticking()
    rng = np.random.default_rng(1)

    async def part(hub: Any, _edge: Any) -> None:
        for second in range(0, 301, 2):
            clock.now = START + second
            records = [Reading(f"s{n}", float(rng.normal(20, 1)), clock.now, "Cel") for n in range(50)]
            message = readings([], seq=second)
            message = Message(**{**{k: getattr(message, k) for k in message.__slots__}, "body": senml.encode(records)})
            await hub.deliver("readings", message)

    hub = run_module(part, clock=clock)
    windows = [each["columns"] for each in hub.documents("windows") if each.get("of") == "readings"]
    assert len(windows[0]["sensor"]) == 50
    assert windows[0]["unit"] == "Cel"
    assert windows[0]["count"] == 30
    assert (windows[0]["start"], windows[0]["end"]) == (START, START + 60)
    assert sum(len(each["sensor"]) for each in windows[1:]) <= 5
    assert sum(message.wire_size() for message in hub.outputs("windows")) < 12_000


def test_flags_become_one_compact_record_and_no_alert(run_module: Run) -> None:
    clock = Ticking()
    rng = np.random.default_rng(2)

    async def part(hub: Any, _edge: Any) -> None:
        for second in range(150):
            clock.now = START + second
            values = [float(rng.normal(20, 1))] if second != 130 else [29.0]
            await hub.deliver("readings", readings(values, at=clock.now, seq=second, name="a"))

    hub = run_module(part, clock=clock, reporting={"anomalies": 145})
    (record,) = [document for document in hub.documents("windows") if "flags" in document]
    assert hub.outputs("alerts") == []
    assert (record["flags"], record["count"]) == (1, 146)
    assert record["columns"] == {
        "sensor": ["a"],
        "flags": [1],
        "z": [pytest.approx(9.5, abs=1)],
        "value": [29.0],
        "time": [START + 130],
    }


def test_unusual_waveforms_go_to_inference_with_their_facts(run_module: Run) -> None:
    parents = blocks(defect="outer")

    async def part(hub: Any, _edge: Any) -> None:
        await hub.deliver("waveforms", *parents)

    hub = run_module(part, clock=Ticking())
    alerts = [Alert.parse(document) for document in hub.documents("alerts")]
    assert next(alert.label for alert in alerts if alert.rule == "bearing") == "outer race"
    waves = [Waveform.of(message) for message in hub.outputs("waveforms")]
    assert all((wave.count, wave.rate_hz, wave.unit, wave.rpm) == (12_000, 12_000, "m/s2", 1772) for wave in waves)
    assert [round((wave.time.timestamp() - START) * 2) for wave in waves] == list(range(len(waves)))
    assert len(waves) == 7
    assert {message.properties["reason"] for message in hub.outputs("waveforms")} == {"unusual"}
    assert len({message.message_id for message in hub.outputs("waveforms")}) == 7


def test_a_silent_waveform_sensor_is_summed_up(run_module: Run) -> None:
    clock = Ticking()

    async def part(hub: Any, _edge: Any) -> None:
        await hub.deliver("waveforms", *blocks(seconds=3))
        clock.now += 5
        async with asyncio.timeout(60):
            while not hub.outputs("windows"):  # noqa: ASYNC110 - the module ticks once a second
                await asyncio.sleep(0.02)

    hub = run_module(part, clock=clock)
    (summary,) = hub.documents("windows")[0]["sensors"]
    assert (summary["sensor"], summary["count"], summary["partial"]) == ("motor1", 5, True)
    assert summary["rms"] == pytest.approx(0.67, abs=0.05)
    assert len(summary["bands"]) == 6
