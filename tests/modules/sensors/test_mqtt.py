"""MQTT against a real Mosquitto."""

import asyncio
import shutil
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from modules.sensors.sources.mqtt import MqttPoint, named
from tests.modules.sensors.conftest import Live, Source
from tests.modules.sensors.parts import Broker, Pair

if shutil.which("mosquitto") is None:
    pytest.skip("needs mosquitto: apt-get install mosquitto", allow_module_level=True)

TOPICS = [
    {"name": "oven/temp", "address": "oven/1/temp", "unit": "Cel", "low": -50, "high": 500},
    {"name": "hall/{1}/level", "address": "hall/+/level", "format": "json", "field": "data.value", "time_field": "at"},
    {"name": "box", "address": "senml/#", "format": "senml"},
    {"name": "fan/bearing", "address": "fan", "format": "int16", "rate_hz": 1000, "unit": "m/s2", "scale": 0.01},
]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    broker = Broker(tmp_path_factory.mktemp("broker"))
    yield broker
    broker.process.kill()


def test_numbers_json_and_senml_come_with_their_own_times(broker: Broker, live: Live) -> None:
    async def part(source: Source) -> None:
        running = source(broker.settings(points=TOPICS))
        await running.phase("ok")
        then = time.time() - 100
        broker.publish(
            ("oven/1/temp", "212.5"),
            ("hall/7/level", f'{{"data": {{"value": 3}}, "at": {then}}}'),
            ("senml/x", f'[{{"bn": "m1/", "bt": {then}, "n": "rpm", "v": 1500, "u": "1/min"}}]'),
        )
        assert (await running.value("oven/temp", 212.5)).unit == "Cel"
        broker.publish(("hall/7/level", f'{{"data": {{"value": 4}}, "at": {then}}}'))
        assert (await running.value("hall/7/level", 4)).time == then
        broker.publish(("senml/x", f'[{{"bn": "m1/", "bt": {then}, "n": "rpm", "v": 1600, "u": "1/min"}}]'))
        found = await running.value("box/m1/rpm", 1600)
        assert (found.unit, found.time) == ("1/min", then)

    live(part)


def test_samples_are_a_waveform(broker: Broker, live: Live) -> None:
    async def part(source: Source) -> None:
        running = source(broker.settings(points=TOPICS))
        await running.phase("ok")
        broker.publish(("fan", struct.pack("<1024h", *range(1024))))
        await running.until(lambda: running.blocks)
        (block,) = running.blocks
        assert (block.name, block.rate_hz, block.unit) == ("fan/bearing", 1000, "m/s2")
        assert memoryview(block.samples).cast("f")[100] == pytest.approx(1.0)

    live(part)


def test_what_cannot_be_used_is_counted_by_reason(broker: Broker, live: Live) -> None:
    async def part(source: Source) -> None:
        running = source(broker.settings(points=TOPICS))
        await running.phase("ok")
        broker.publish(
            ("oven/1/temp", "hot"),
            ("oven/1/temp", "nan"),
            ("oven/1/temp", "1000"),
            ("hall/7/level", "{"),
            ("hall/7/level", "{}"),
            ("hall/7/level", '{"data": {"value": "3"}, "at": 5e9}'),
            ("hall/7/level", '{"data": {"value": 3}, "at": 5e9}'),
            ("hall/a b/level", f'{{"data": {{"value": 3}}, "at": {time.time()}}}'),
            ("senml/x", '[{"n": "rpm", "t": 0, "v": "x"}]'),
            ("fan", b"odd"),
            ("fan", b""),
        )
        await running.until(lambda: sum(running.dropped.values()) >= 11)
        wanted: dict[str, int] = {
            "wrong_type": 3,
            "nan": 1,
            "out_of_range": 1,
            "not_json": 1,
            "no_such_field": 1,
            "time": 1,
            "bad_name": 1,
            "not_a_number": 1,
            "wrong_shape": 1,
        }
        assert running.dropped == wanted
        assert running.readings == []

    live(part)


def test_an_old_value_of_an_unknown_time_is_left_out(broker: Broker, live: Live) -> None:
    async def part(source: Source) -> None:
        broker.publish(("oven/1/temp", "77"), retain=True)
        running = source(broker.settings(points=TOPICS))
        await running.phase("ok")
        broker.publish(("oven/1/temp", "78"))
        await running.value("oven/temp", 78)
        assert 77 not in [reading.value for reading in running.readings]
        broker.publish(("oven/1/temp", b""), retain=True)

    live(part)


def test_ten_times_the_rate_costs_the_newest_of_nobody(broker: Broker, live: Live) -> None:
    point: dict[str, object] = {"name": "oven/temp", "address": "oven/1/temp", "interval_s": 0.2}

    async def part(source: Source) -> None:
        running = source(broker.settings(points=[point]))
        await running.phase("ok")
        for _ in range(10):
            broker.publish(*(("oven/1/temp", str(n)) for n in range(100)))
        await running.until(lambda: running.dropped.get("flood", 0) > 900)
        await running.until(lambda: running.readings[-1:] and running.readings[-1].value == 99)
        assert running.watch.intake.readings < 100

    live(part)


def test_a_wrong_password_is_told_and_not_shown(broker: Broker, live: Live, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("press:other-guess")

    async def part(source: Source) -> None:
        running = source(broker.settings(points=TOPICS, credentials_file=str(wrong)))
        await running.phase("dead")
        assert "not authorised" in running.watch.state.why
        assert "guess" not in str(running.watch.facts())
        assert "guess" not in repr(running.watch.wanted)

    live(part)


# paho lets go of the socket of a failed handshake without closing it: freed at once, and Python says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_broker_s_certificate_is_checked_against_the_file(live: Live, tmp_path: Path) -> None:
    pair, other = Pair.make(tmp_path, "broker"), Pair.make(tmp_path, "other")
    broker = Broker(tmp_path, pair)

    async def part(source: Source) -> None:
        right = source(broker.settings(points=TOPICS, ca_file=str(pair.cert)))
        await right.phase("ok")
        wrong = source(broker.settings(points=TOPICS, ca_file=str(other.cert)))
        await wrong.phase("dead")
        assert "CERTIFICATE_VERIFY_FAILED" in wrong.watch.state.why

    try:
        live(part)
    finally:
        broker.process.kill()


def test_a_missing_secret_is_told_by_its_path(broker: Broker, live: Live, tmp_path: Path) -> None:
    async def part(source: Source) -> None:
        running = source(broker.settings(points=TOPICS, credentials_file=str(tmp_path / "nowhere")))
        await running.phase("dead")
        assert "nowhere cannot be read" in running.watch.state.why

    live(part)


@pytest.mark.parametrize("how", ["kill", "hang"])
def test_a_broker_that_dies_or_hangs_is_reported_and_comes_back(live: Live, tmp_path: Path, how: str) -> None:
    broker = Broker(tmp_path)

    async def part(source: Source) -> None:
        running = source(broker.settings(points=TOPICS, keepalive_s=1))
        await running.phase("ok")
        broker.process.kill() if how == "kill" else broker.process.hang()
        await running.phase("dead")
        await asyncio.to_thread(broker.process.start) if how == "kill" else broker.process.go_on()
        await running.phase("ok")
        await running.heard("oven/temp", 20, lambda: broker.publish(("oven/1/temp", "20")))
        assert running.outages >= 1

    try:
        live(part)
    finally:
        broker.process.kill()


def test_wildcards_name_the_points() -> None:
    point = MqttPoint(name="x/{2}/{1}", address="a/+/b/#")
    assert named(point, "a/1/b/c/d").name == "x/c/d/1"
    with pytest.raises(ValueError, match="whole level"):
        MqttPoint(name="x", address="a/b#")
