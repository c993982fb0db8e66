"""The module over a played edgeHub: kept before acknowledged, sounded once, acknowledged by people, tested by hand."""

import asyncio
import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from gpiozero.pins.mock import MockFactory

from modules.alarms.module import AlarmsModule
from modules.alarms.outputs.gpio import mock_pins
from modules.alarms.settings import AlarmsSettings
from modules.alarms.store import Batch, Queued
from modules.common.edge import Edge
from modules.common.messages import Alert, AlertState, Message, Severity, json_message, new_id
from tests.modules.alarms.parts import Hook
from tests.modules.conftest import PlayedTransport, Until

ROOT = Path(__file__).parents[3]
FROM = {"$.cdid": "gw1", "$.cmid": "vibration"}
HORN = {"type": "gpio", "pin": 17, "pins": "mock", "look_s": 0.1}

Play = Callable[..., None]


def alert(state: AlertState = "raised", severity: Severity = "critical", source: str = "press4") -> Message:
    now = datetime.now(UTC)
    document = Alert(
        source=source, rule="level", severity=severity, state=state, text="8.1 mm/s", sampled=now
    ).document()
    return json_message(document, kind="alert", source=source, seq=0, time=now, message_id=new_id(), severity=severity)


def command(verb: str, **more: object) -> Message:
    now = datetime.now(UTC)
    return json_message({"verb": verb, **more}, kind="command", source="status", seq=0, time=now, message_id=new_id())


class Bench:
    """The module of a test, and its far ends."""

    def __init__(self, tmp_path: Path, transport: PlayedTransport) -> None:
        self.state, self.transport = tmp_path, transport
        self.module: AlarmsModule
        self.version = 0

    def make(self) -> Edge[AlarmsSettings]:
        edge = Edge("alarms", AlarmsSettings, state_dir=self.state, transport=self.transport, heartbeat_s=60)
        self.module = AlarmsModule(edge)
        return edge

    def wanted(self, **settings: Any) -> None:
        self.version += 1
        self.transport.desired = {"settings": settings, "$version": self.version}

    @property
    def horn(self) -> int:
        return int(mock_pins().pin(17).state)

    async def health(self) -> dict[str, Any]:
        _, document = await self.transport.call("getStatus")
        assert isinstance(document, dict)
        return document


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transport: PlayedTransport) -> Iterator[Bench]:
    monkeypatch.setenv("MILLWATCH_VIEW_PORT", "0")
    monkeypatch.setenv("IOTEDGE_DEVICEID", "gw1")
    bench = Bench(tmp_path / "state", transport)
    bench.wanted(rules={"critical": {"severity": "critical", "outputs": ["horn"]}}, outputs={"horn": HORN})
    yield bench
    pins = mock_pins()
    assert isinstance(pins, MockFactory)
    pins.reset()


def test_an_alert_sounds_the_horn_until_it_is_acknowledged(
    line: Bench, transport: PlayedTransport, play: Play, until: Until
) -> None:
    async def part() -> None:
        raised = alert()
        transport.deliver("alerts", raised, **FROM)
        await until(lambda: line.horn == 1)
        transport.deliver("alerts", alert("cleared"), **FROM)
        await until(lambda: len(transport.acknowledged) == 2)
        assert line.horn == 1
        transport.deliver("commands", command("acknowledge", alert=raised.message_id, who="Ada", target="vibration"))
        await until(lambda: line.horn == 0)
        assert (await line.health())["facts"]["live"] == 0

    play(line.make(), part)


def test_resolving_on_the_page_releases_what_is_latched(
    line: Bench, transport: PlayedTransport, play: Play, until: Until
) -> None:
    async def part() -> None:
        raised = alert()
        transport.deliver("alerts", raised, **FROM)
        transport.deliver("alerts", alert("cleared"), **FROM)
        await until(lambda: len(transport.acknowledged) == 2 and line.horn == 1)
        transport.deliver("commands", command("resolve", alert=new_id(), who="Ben", target="vibration"))
        transport.deliver("commands", command("resolve", alert=raised.message_id, who="Ada", target="vibration"))
        await until(lambda: line.horn == 0)
        await until(lambda: len(transport.acknowledged) == 4)
        assert (await line.health())["facts"]["live"] == 0
        assert line.module.store.conditions() == []

    play(line.make(), part)


def test_what_does_not_fit_is_taken_and_makes_no_sound(
    line: Bench, transport: PlayedTransport, play: Play, until: Until
) -> None:
    async def part() -> None:
        transport.deliver("alerts", alert(severity="warning"), **FROM)
        await until(lambda: transport.acknowledged)
        await until(lambda: line.module.carriers["horn"].facts()["shown"] == 0)

    play(line.make(), part)


def test_an_alert_is_on_disk_before_it_is_acknowledged(
    line: Bench, transport: PlayedTransport, play: Play, until: Until
) -> None:
    kept: list[int] = []

    async def part() -> None:
        deliver, raised = transport.deliver, alert()
        note = transport.acknowledged.append

        class Noting(list[str | None]):
            def append(self, each: str | None) -> None:
                with sqlite3.connect(line.state / "alarms.db") as other:
                    kept.append(other.execute("SELECT count(*) FROM taken").fetchone()[0])
                other.close()
                note(each)

        transport.acknowledged = Noting()
        deliver("alerts", raised, **FROM)
        await until(lambda: kept)

    play(line.make(), part)
    assert kept == [1]


def test_an_alert_that_comes_again_sounds_once(
    line: Bench, transport: PlayedTransport, play: Play, until: Until, tmp_path: Path
) -> None:
    hook = Hook(tmp_path)
    line.wanted(rules={"all": {"latch": False, "outputs": ["hook"]}}, outputs={"hook": hook.settings()})
    raised, cleared = alert(), alert("cleared")

    async def part() -> None:
        for each in (raised, raised, cleared, raised, cleared):
            transport.deliver("alerts", each, **FROM)
        await until(lambda: len(transport.acknowledged) == 5)
        await until(lambda: line.module.carriers["hook"].state.deliveries == 2)

    async def after_a_restart() -> None:
        transport.deliver("alerts", raised, **FROM)
        await until(lambda: len(transport.acknowledged) == 6)
        await until(lambda: not line.module.carriers["hook"].pending)

    try:
        play(line.make(), part)
        transport.pulls = 0
        play(line.make(), after_a_restart)
    finally:
        hook.process.kill()
    bodies = [json.loads(each["body"]) for each in hook.posted]
    assert [each["event"] for each in bodies] == ["begun", "ended"]
    assert {name: bodies[0][name] for name in ("source", "gateway", "module", "alert")} == {
        "source": "press4",
        "gateway": "gw1",
        "module": "vibration",
        "alert": raised.message_id,
    }


def test_what_stood_before_a_restart_sounds_after_it(
    line: Bench, transport: PlayedTransport, play: Play, until: Until
) -> None:
    async def part() -> None:
        transport.deliver("alerts", alert(), **FROM)
        await until(lambda: line.horn == 1)

    async def again() -> None:
        await until(lambda: line.horn == 1)
        assert [each["source"] for each in (await line.health())["facts"]["alarms"]] == ["press4"]

    play(line.make(), part)
    transport.pulls = 0
    play(line.make(), again)


def test_a_change_of_settings_holds_for_what_stands_and_leaves_other_outputs_alone(
    line: Bench, transport: PlayedTransport, play: Play, until: Until
) -> None:
    async def part() -> None:
        transport.deliver("alerts", alert(severity="warning"), **FROM)
        await until(lambda: transport.acknowledged)
        horn = line.module.carriers["horn"]
        lamp = {"type": "gpio", "pin": 18, "pins": "mock"}
        transport.patch(
            {
                "settings": {
                    "rules": {"critical": {"severity": "warning", "outputs": ["horn", "lamp"]}},
                    "outputs": {"lamp": lamp},
                },
                "$version": 2,
            }
        )
        await until(lambda: mock_pins().pin(18).state and line.horn)
        assert line.module.carriers["horn"] is horn

    play(line.make(), part)


def test_a_disk_that_refuses_is_told_and_alarms_sound_all_the_same(
    line: Bench, transport: PlayedTransport, play: Play, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def part() -> None:
        store = line.module.store
        write = store.write

        def full(*_: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        monkeypatch.setattr(store, "write", full)
        transport.deliver("alerts", alert(), **FROM)
        await until(lambda: line.horn == 1 and line.module.trouble)
        told = await line.health()
        assert told["state"] == "fail"
        assert "disk is full" in told["text"]
        assert transport.acknowledged == []
        monkeypatch.setattr(store, "write", write)
        await until(lambda: len(transport.acknowledged) == 1)
        told = await line.health()
        assert told["state"] != "fail"
        assert len(store.conditions()) == 1

    play(line.make(), part)


def test_a_switch_waits_for_no_disk_and_the_acknowledgement_does(
    line: Bench, transport: PlayedTransport, play: Play, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def part() -> None:
        store, go_on = line.module.store, threading.Event()
        write = store.write

        def slow(batch: Batch) -> list[Queued]:
            assert go_on.wait(20)
            return write(batch)

        monkeypatch.setattr(store, "write", slow)
        raised = alert()
        try:
            transport.deliver("alerts", raised, **FROM)
            await until(lambda: line.horn == 1)
            assert line.module.find(raised.message_id) is not None
            assert transport.acknowledged == []
        finally:
            go_on.set()
        await until(lambda: transport.acknowledged)
        assert store.taken(raised.message_id) is not None

    play(line.make(), part)


def test_the_test_button_says_what_became_of_each_output(
    line: Bench, transport: PlayedTransport, play: Play, until: Until
) -> None:
    line.wanted(
        rules={"all": {"outputs": ["horn", "hook"]}},
        outputs={"horn": HORN, "hook": {"type": "webhook", "url": "http://127.0.0.1:9/", "most_waiting": 1}},
        watchdogs={},
        test_s=0.1,
    )

    async def part() -> None:
        status, answer = await transport.call("testAlarm", {"output": "horn", "who": "Ada"})
        assert (status, answer) == (200, {"horn": {"ok": True, "why": ""}})
        assert [each.state for each in mock_pins().pin(17).states] == [False, True, False]
        status, _ = await transport.call("testAlarm", {"output": "siren"})
        assert status == 404
        asked = asyncio.create_task(transport.call("testAlarm", {"output": "hook"}))
        await until(lambda: line.module.carriers["hook"].state.failures)
        await transport.call("testAlarm", {"output": "horn"})
        transport.deliver("commands", command("testAlarm", output="hook", who="Ben"))
        status, found = await asked
        assert status == 200
        assert isinstance(found, dict)
        assert found["hook"] == {"ok": False, "why": "full"}

    play(line.make(), part)


def test_a_method_acknowledges_by_source_and_says_what(
    line: Bench, transport: PlayedTransport, play: Play, until: Until
) -> None:
    async def part() -> None:
        transport.deliver("alerts", alert(source="press4"), **FROM)
        transport.deliver("alerts", alert(source="oven"), **FROM)
        await until(lambda: len(transport.acknowledged) == 2)
        assert (await transport.call("acknowledge", {"source": "none"}))[0] == 404
        status, answer = await transport.call("acknowledge", {"source": "press*", "who": "Ada"})
        assert status == 200
        assert answer == {"acknowledge": [{"module": "vibration", "source": "press4", "kind": "level"}]}
        shown = {each["source"]: each for each in (await line.health())["facts"]["alarms"]}
        assert (shown["press4"]["sounds"], shown["press4"]["by"]) == (False, "Ada")
        assert shown["oven"]["sounds"]
        assert line.horn == 1

    play(line.make(), part)


def test_health_and_view_tell_every_output_and_no_secret(
    line: Bench, transport: PlayedTransport, play: Play, until: Until, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("sesame " * 4)
    outputs = {"horn": HORN | {"pins": "auto", "chip": 31}}
    outputs["hook"] = {"type": "webhook", "url": "http://127.0.0.1:9/", "secret_file": str(secret)}
    line.wanted(rules={"all": {"outputs": ["horn", "hook"]}}, outputs=outputs)

    async def part() -> None:
        transport.deliver("alerts", alert(), **FROM)
        await until(lambda: line.module.carriers["hook"].state.phase == "failing")
        told = await line.health()
        assert told["state"] == "warn"
        assert "hook fails" in told["text"]
        assert "mock pin" in told["text"]
        hook = told["facts"]["outputs"]["hook"]
        assert (hook["pending"], hook["state"]) == (1, "failing")
        assert "sesame" not in str(told)

    play(line.make(), part)


def test_the_watchdog_drops_at_the_end(line: Bench, play: Play, until: Until) -> None:
    line.wanted(outputs={"dog": HORN}, watchdogs={"dog": {"mode": "hold", "every_s": 0.05}})

    async def part() -> None:
        await until(lambda: line.horn == 1)

    play(line.make(), part)
    assert [each.state for each in mock_pins().pin(17).states][-2:] == [True, False]


def test_an_acknowledgement_of_an_alert_without_an_alarm_is_nothing(
    line: Bench, transport: PlayedTransport, play: Play, until: Until
) -> None:
    async def part() -> None:
        transport.deliver("commands", command("acknowledge", alert=new_id(), who="Ada", target="vibration"))
        transport.deliver("commands", command("fly"))
        await until(lambda: len(transport.acknowledged) == 2)
        assert (await line.health())["counters"]["rejected"] == 1

    play(line.make(), part)


def test_no_library_of_an_output_is_loaded_before_it_is_used() -> None:
    names = ("pymodbus", "asyncua", "gpiozero", "aiosmtplib", "httpx")
    code = f"import sys, modules.alarms.module; print([n for n in {names} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
