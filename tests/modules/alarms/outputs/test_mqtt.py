"""Topics of a real Mosquitto."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import client as paho
from paho.mqtt import subscribe
from pydantic import ValidationError

from modules.alarms.outputs.mqtt import MqttSwitch
from tests.modules.alarms.conftest import Live, Output, queued
from tests.modules.sensors.parts import Broker, Pair

if shutil.which("mosquitto") is None:
    pytest.skip("needs mosquitto: apt-get install mosquitto", allow_module_level=True)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    broker = Broker(tmp_path_factory.mktemp("broker"))
    yield broker
    broker.process.kill()


def settings(broker: Broker, **more: Any) -> dict[str, Any]:
    return broker.settings() | {"type": "mqtt", "topic": "hall/alarm", "retain": True} | more


async def kept(broker: Broker, topic: str) -> str:
    """What the broker keeps of a topic."""

    def ask() -> str:
        message = subscribe.simple(
            topic,
            hostname="127.0.0.1",
            port=broker.port,
            auth={"username": "press", "password": "guess"},
        )
        return str(message.payload.decode())

    return await asyncio.to_thread(ask)


async def said(broker: Broker, topic: str, text: str) -> None:
    """Wait until a text is published."""
    heard = asyncio.Event()
    loop = asyncio.get_running_loop()
    listener = paho.Client()
    listener.username_pw_set("press", "guess")
    listener.on_connect = lambda *_: listener.subscribe(topic, 1)
    listener.on_message = lambda _c, _u, message: (
        loop.call_soon_threadsafe(heard.set) if message.payload == text.encode() else None
    )
    await asyncio.to_thread(listener.connect, "127.0.0.1", broker.port)
    listener.loop_start()
    try:
        async with asyncio.timeout(60):
            await heard.wait()
    finally:
        listener.disconnect()
        await asyncio.to_thread(listener.loop_stop)


def test_a_notice_is_published_as_json_and_confirmed(broker: Broker, live: Live) -> None:
    async def part(output: Output) -> None:
        running = output(settings(broker))
        each = queued(1)
        running.put(each)
        await running.until(lambda: running.gone == [(1, "")])
        assert json.loads(await kept(broker, "hall/alarm")) == each.notice.document()
        assert running.carrier.state.deliveries == 1

    live(part)


def test_a_connection_that_is_gone_is_told_before_there_is_an_alarm(broker: Broker, live: Live) -> None:
    async def part(output: Output) -> None:
        running = output(settings(broker))
        await running.phase("ok")
        broker.process.kill()
        try:
            await running.phase("failing")
        finally:
            await asyncio.to_thread(broker.process.start)
        await running.phase("ok")

    live(part)


@pytest.mark.parametrize("how", ["kill", "hang"])
def test_what_came_while_the_broker_was_away_is_published_in_order_when_it_is_back(
    broker: Broker, live: Live, how: str
) -> None:
    async def part(output: Output) -> None:
        running = output(settings(broker, patience_s=1))
        await running.phase("ok")
        broker.process.kill() if how == "kill" else broker.process.hang()
        try:
            for number in (1, 2, 3):
                running.put(queued(number))
            await running.phase("failing")
            assert running.carrier.pending == 3
        finally:
            await asyncio.to_thread(broker.process.start) if how == "kill" else broker.process.go_on()
        await running.until(lambda: [number for number, _ in running.gone] == [1, 2, 3])
        assert json.loads(await kept(broker, "hall/alarm"))["source"] == "press3/bearing"

    live(part)


def test_a_wrong_password_is_told_and_not_said(broker: Broker, live: Live, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("press:sesame\n")

    async def part(output: Output) -> None:
        running = output(settings(broker, credentials_file=str(wrong)))
        running.put(queued())
        await running.phase("failing")
        assert "not authorised" in running.carrier.state.why
        assert "sesame" not in str(running.carrier.facts())

    live(part)


def test_a_level_is_shown_and_the_will_stands_for_who_is_gone(broker: Broker, live: Live) -> None:
    async def part(output: Output) -> None:
        topic = "hall/well"
        running = output(settings(broker, type="mqtt-switch", topic=topic, will="GONE"))
        running.show(1)
        await running.shown(1)
        assert await kept(broker, topic) == "ON"
        will = asyncio.create_task(said(broker, topic, "GONE"))
        await asyncio.sleep(0.2)
        running.carrier._switch._session._client.socket().shutdown(2)  # type: ignore[attr-defined]
        await will
        await running.until(lambda: running.carrier.state.failures)
        await running.shown(1)
        await running.until(lambda: running.carrier.state.phase == "ok")
        assert await kept(broker, topic) == "ON"

    live(part)


def test_tls_with_a_private_ca(live: Live, tmp_path: Path) -> None:
    pair = Pair.make(tmp_path, "broker")
    broker = Broker(tmp_path, pair)

    async def part(output: Output) -> None:
        running = output(settings(broker, ca_file=str(pair.cert)))
        running.put(queued())
        await running.until(lambda: running.gone == [(1, "")])

    try:
        live(part)
    finally:
        broker.process.kill()


def test_a_topic_has_no_wildcard() -> None:
    for topic in ("hall/+", "#", ""):
        with pytest.raises(ValidationError):
            MqttSwitch.model_validate({"type": "mqtt-switch", "host": "h", "topic": topic})
