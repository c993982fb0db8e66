"""The module between its inputs and outputs, with edgeHub played by the test."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from modules.common.messages import (
    PACKED,
    Alert,
    Message,
    Reading,
    Waveform,
    derived_id,
    json_message,
    new_id,
    packed,
)
from tests.modules.vibration.made import START, Ticking, blocks, readings

Run = Callable[..., Any]


def test_a_reading_over_its_limit_becomes_an_alert_with_an_id_of_its_message(run_module: Run) -> None:
    message = readings([30.0, 96.0])

    async def part(hub: Any, _edge: Any) -> None:
        await hub.deliver("readings", message)

    hub = run_module(part, clock=Ticking())
    (sent,) = hub.outputs("alerts")
    alert = Alert.parse(hub.documents("alerts")[0])
    assert (alert.source, alert.rule, alert.severity, alert.state) == (
        "press1/temperature",
        "level",
        "critical",
        "raised",
    )
    assert alert.advice == "immediate shutdown required"
    assert alert.sampled.timestamp() == pytest.approx(START + 0.01, abs=1e-3)
    assert (sent.severity, sent.trace_id) == ("critical", message.message_id)
    assert sent.message_id[:13] == message.message_id[:13]  # the parent's time


def test_a_redelivered_message_is_handled_once(run_module: Run) -> None:
    message = readings([96.0])

    async def part(hub: Any, _edge: Any) -> None:
        await hub.deliver("readings", message, message)

    hub = run_module(part, clock=Ticking())
    assert len(hub.outputs("alerts")) == 1
    assert hub.acknowledged == [message.message_id] * 2


def test_what_could_not_be_sent_is_sent_on_the_next_try_with_the_same_id(run_module: Run) -> None:
    async def part(hub: Any, _edge: Any) -> None:
        hub.refuse = "alerts"
        await hub.deliver("readings", readings([30.0, 96.0]))

    hub = run_module(part, clock=Ticking())
    assert [document["severity"] for document in hub.documents("alerts")] == ["critical"]


def test_what_one_message_leads_to_is_under_way_at_once_and_in_order(run_module: Run) -> None:
    message = readings([30.0, 60.0, 96.0])
    under_way: list[str] = []
    most: list[int] = []

    async def part(hub: Any, _edge: Any) -> None:
        plain = hub.send

        async def slow(output: str, sent: Message) -> None:
            under_way.append(sent.message_id)
            await asyncio.sleep(0.05)
            most.append(len(under_way))
            await plain(output, sent)

        hub.send = slow
        await hub.deliver("readings", message)

    hub = run_module(part, clock=Ticking())
    assert [document["severity"] for document in hub.documents("alerts")] == ["warning", "critical"]
    assert most[0] == 2


def test_bad_input_is_counted_by_reason_and_the_next_is_handled(run_module: Run) -> None:
    good, wave = readings([30.0], seq=5), blocks(seconds=1)[0]
    torn = readings([30.0])
    torn = Message(**{**{name: getattr(torn, name) for name in torn.__slots__}, "body": b"[{"})
    nan = Waveform(
        samples=np.array([1, np.nan], dtype="<f4").tobytes(),
        rate_hz=12_000,
        unit="m/s2",
        time=datetime.fromtimestamp(START, UTC),
        source="motor1",
        seq=0,
    ).message()
    rejected = {}

    async def part(hub: Any, edge: Any) -> None:
        await hub.deliver("readings", torn, readings([30.0], name="x"), readings([1e200], name="y"), good)
        await hub.deliver("waveforms", nan, wave)
        for name, reason in (("readings", "not_json"), ("readings", "oversize"), ("waveforms", "nan")):
            rejected[reason] = edge.metrics.rejected.labels(name, reason)._value.get()

    hub = run_module(part, clock=Ticking())
    assert rejected == {"not_json": 1, "oversize": 1, "nan": 1}
    assert len(hub.acknowledged) == 6


def test_packed_readings_are_judged_as_senml_is_and_torn_ones_are_counted(run_module: Run) -> None:
    plain = readings([30.0, 96.0])
    records = [Reading("press1/temperature", 30.0, START, "Cel"), Reading("press1/temperature", 96.0, START + 1, "Cel")]
    good = replace(plain, body=packed.encode(records), content_type=PACKED, message_id=new_id())
    torn = replace(good, body=good.body[:-1], message_id=new_id())
    rejected = []

    async def part(hub: Any, edge: Any) -> None:
        await hub.deliver("readings", torn, good)
        rejected.append(edge.metrics.rejected.labels("readings", "checksum")._value.get())

    hub = run_module(part, clock=Ticking())
    assert [document["severity"] for document in hub.documents("alerts")] == ["critical"]
    assert rejected == [1]


def test_a_list_named_by_its_hash_is_in_force_and_reported_and_a_wrong_one_refused(
    run_module: Run, tmp_path: Path
) -> None:
    text = "sensor,limit,unit\npress1/temperature,35,Cel\n"
    (tmp_path / "limits.csv").write_text(text, encoding="utf-8")
    wanted = {"file": "limits.csv", "sha256": sha256(text.encode()).hexdigest()}

    async def part(hub: Any, _edge: Any) -> None:
        async with asyncio.timeout(60):
            while not any("sensor_list" in each for each in hub.reported):  # noqa: ASYNC110 - in the code under test
                await asyncio.sleep(0.001)
        await hub.deliver("readings", readings([30.0]))
        hub.listener.desired_changed({"$version": 2, "settings": {"sensor_list": {**wanted, "sha256": "0" * 64}}})
        async with asyncio.timeout(60):
            while hub.reported[-1].get("settings", {}).get("ok", True):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.001)
        await hub.deliver("readings", readings([30.0], seq=1, at=START + 1))

    hub = run_module(part, clock=Ticking(), sensor_list=wanted)
    assert [alert["limit"] for alert in hub.documents("alerts")] == [35.0]
    told = next(each["sensor_list"] for each in hub.reported if "sensor_list" in each)
    assert told == {**wanted, "sensors": 1}
    assert "limits.csv: its SHA-256 is" in hub.reported[-1]["settings"]["error"]


def test_health_says_whose_clock_is_wrong(run_module: Run) -> None:
    told: list[Any] = []

    async def part(hub: Any, _edge: Any) -> None:
        for at in (5.0 + (1 << 28), START):
            await hub.deliver("readings", readings([30.0], seq=len(told), at=at))
            told.append((await hub.call("getStatus", None))[1])

    run_module(part, clock=Ticking())
    assert [(each["state"], each["facts"]["sensor_clocks_wrong"]) for each in told] == [("warn", 1), ("ok", 0)]
    assert told[0]["text"] == "sensors with a wrong clock: 1"
    assert told[0]["facts"]["clock"] in {"synced", "unsynced"}


def test_a_twin_change_alters_what_is_judged(run_module: Run) -> None:
    async def part(hub: Any, edge: Any) -> None:
        await hub.deliver("readings", readings([30.0]))
        rules = [{"group": "ovens", "match": ["press*"], "limit": 35.0, "unit": "Cel"}]
        hub.listener.desired_changed({"$version": 2, "settings": {"rules": rules}})
        async with asyncio.timeout(60):
            while edge.settings.rules[0].group != "ovens":  # noqa: ASYNC110 - in the code under test
                await asyncio.sleep(0.001)
        await hub.deliver("readings", readings([30.0], at=START + 1, seq=1))
        hub.listener.desired_changed({"$version": 3, "settings": {"rules": [{"group": "x", "limit": -1}]}})
        async with asyncio.timeout(60):
            while hub.reported[-1]["settings"]["ok"]:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.001)

    hub = run_module(part, clock=Ticking())
    assert [(alert["severity"], alert["limit"]) for alert in hub.documents("alerts")] == [("critical", 35.0)]
    assert "limit" in hub.reported[-1]["settings"]["error"]


def test_the_page_can_look_at_sensors(run_module: Run) -> None:
    pages: dict[str, Any] = {}

    async def part(hub: Any, edge: Any) -> None:
        await hub.deliver("readings", readings([30.0, 96.0]))
        await hub.deliver("waveforms", *blocks(defect="inner"))
        async with httpx.AsyncClient(base_url=edge._views.url) as client:
            client.headers["Authorization"] = f"Bearer {edge._views.token}"
            pages["list"] = (await client.get("/view/sensors")).json()
            pages["slow"] = (await client.get("/view/sensor", params={"source": "press1/temperature"})).json()
            pages["wave"] = (await client.get("/view/sensor", params={"source": "motor1"})).json()
            pages["lines"] = (await client.get("/view/spectrum", params={"source": "motor1"})).json()
            pages["no lines"] = (
                await client.get("/view/spectrum", params={"source": "press1/temperature"})
            ).status_code
            pages["second"] = (await client.get("/view/sensors", params={"offset": "1", "limit": "1"})).json()
            pages["wrong"] = (await client.get("/view/sensors", params={"offset": "-1"})).status_code
            pages["none"] = (await client.get("/view/sensor", params={"source": "nobody"})).status_code
            pages["metrics"] = (await client.get("/metrics")).text

    run_module(part, clock=Ticking())
    assert [each["source"] for each in pages["list"]["sensors"]] == ["press1/temperature", "motor1"]
    assert [each["source"] for each in pages["second"]["sensors"]] == ["motor1"]
    assert pages["second"]["matching"] == 2
    assert pages["wrong"] == 400
    assert (pages["slow"]["state"], pages["slow"]["recent"]) == ("critical", [30.0, 96.0])
    assert pages["slow"]["risk"] == 0.8
    wave = pages["wave"]
    assert wave["orders"]["inner race"] > 6
    assert 0 < len(wave["waveform"]["values"]) <= 400
    lines = pages["lines"]
    envelope = lines["envelope"]
    strongest = int(np.argmax(envelope["amplitude"])) * envelope["step_hz"] + envelope["first_hz"]
    assert strongest == pytest.approx(lines["orders"]["BPFI"], abs=2 * envelope["step_hz"] + 2)
    assert set(lines["orders"]) == {"BPFO", "BPFI", "2xBSF", "FTF"}
    assert 0 < len(lines["amplitude"]) <= 400
    assert len(lines["amplitude"]) * lines["step_hz"] == pytest.approx(lines["fs_hz"] / 2, rel=0.01)
    assert pages["no lines"] == 404
    assert pages["none"] == 404
    assert 'kind="waveform"' in pages["metrics"]
    assert 'direction="up",' in pages["metrics"]
    assert "millwatch_metered_messages_total" in pages["metrics"]


def test_a_mended_sensor_learns_its_new_normal_on_demand(run_module: Run) -> None:
    answers = []

    async def part(hub: Any, _edge: Any) -> None:
        await hub.deliver("readings", readings([30.0]))
        answers.append(await hub.call("relearn", {"sensor": "press1/temperature"}))
        answers.append(await hub.call("relearn", {"sensor": "nobody"}))

    run_module(part, clock=Ticking())
    assert answers[0] == (200, {"relearning": "press1/temperature"})
    assert answers[1][0] == 404


def test_a_person_s_verdict_on_an_alert_goes_up_as_a_record(run_module: Run) -> None:
    alert = new_id()
    facts = {"verb": "verdict", "target": "vibration", "id": alert, "verdict": "false", "by": "Ada", "why": "a bump"}
    said = json_message(facts, kind="command", source="status", seq=0, time=datetime.fromtimestamp(START, UTC))

    async def part(hub: Any, _edge: Any) -> None:
        await hub.deliver("commands", said, said)
        status, answer = await hub.call("verdict", {"id": alert, "verdict": "unsure"})
        assert (status, answer["by"]) == (200, "somebody")

    hub = run_module(part, clock=Ticking())
    first, again, _ = (each for each in hub.outputs("samples") if each.kind == "verdict")
    assert first.message_id == again.message_id == derived_id(said.message_id, "vibration", "samples", 0)
    document = first.document()
    assert (document["alert"], document["verdict"], document["by"], document["why"]) == (
        alert,
        "false",
        "Ada",
        "a bump",
    )
