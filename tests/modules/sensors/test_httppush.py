"""HTTP push: what is taken, what is refused, and with which answer."""

import asyncio
import ssl
import time
from array import array
from pathlib import Path
from typing import Any

import httpx
import pytest

from devices.line import free_port
from modules.common.messages import PACKED, SENML, Reading, packed
from tests.modules.sensors.conftest import Live, Source
from tests.modules.sensors.parts import Pair

TOKEN = "0123456789abcdef"
POINTS = [
    {"name": "oven/temp", "address": "t1", "unit": "Cel", "high": 500},
    {"name": "fan/bearing", "address": "fan/de", "rate_hz": 1000, "unit": "m/s2"},
]


class Receiver:
    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.token = folder / "token"
        self.token.write_text(TOKEN + "\n")

    def settings(self, **more: Any) -> dict[str, Any]:
        return {"type": "http", "port": self.port, "token_file": str(self.token), "points": POINTS} | more

    async def post(self, path: str, body: bytes | str, kind: str, token: str = TOKEN, ca: Path | None = None) -> int:
        return (await self.answer(path, body, kind, token, ca)).status_code

    async def answer(
        self, path: str, body: bytes | str, kind: str, token: str = TOKEN, ca: Path | None = None
    ) -> httpx.Response:
        headers = {"Content-Type": kind, "Authorization": f"Bearer {token}"}
        url = f"{'https' if ca else 'http'}://127.0.0.1:{self.port}"
        verify = ssl.create_default_context(cafile=str(ca)) if ca else True
        async with httpx.AsyncClient(base_url=url, verify=verify, timeout=60) as client:
            for _ in range(3_000):
                try:
                    answer = await client.post(path, content=body, headers=headers)
                except httpx.ConnectError:
                    await asyncio.sleep(0.02)
                else:
                    return answer
        raise AssertionError("nobody listens")


@pytest.fixture
def receiver(tmp_path: Path) -> Receiver:
    return Receiver(tmp_path)


def test_senml_packed_values_and_samples_are_taken(receiver: Receiver, live: Live) -> None:
    async def part(source: Source) -> None:
        running = source(receiver.settings(prefix="hall/"))
        now = time.time()
        assert await receiver.post("/readings", f'[{{"bt": {now}, "n": "a", "v": 1, "u": "Cel"}}]', SENML) == 204
        assert (await running.value("hall/a", 1)).time == now
        assert await receiver.post("/readings", packed.encode([Reading("b", 2.0, now, "Pa")]), PACKED) == 204
        await running.value("hall/b", 2)
        assert await receiver.post("/readings", f'{{"t1": 212.5, "time": {now - 9}}}', "application/json") == 204
        assert (await running.value("oven/temp", 212.5)).time == now - 9
        samples = array("f", range(64)).tobytes()
        assert await receiver.post("/waveforms/fan/de", samples, "application/octet-stream") == 204
        await running.until(lambda: running.blocks)
        assert running.blocks[0].samples == samples

    live(part)


def test_who_pushes_is_told_to_come_again_while_no_more_can_wait(receiver: Receiver, live: Live) -> None:
    async def part(source: Source) -> None:
        running = source(receiver.settings())
        running.room = False
        answer = await receiver.answer("/readings", '{"t1": 1}', "application/json")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
        assert await receiver.post("/waveforms/fan/de", b"1234", "application/octet-stream") == 503
        assert await receiver.post("/readings", "{}", "application/json", token="guessed") == 401
        assert running.dropped == {"turned_away": 2, "unauthorized": 1}
        assert not running.readings
        running.room = True
        assert await receiver.post("/readings", '{"t1": 1}', "application/json") == 204
        await running.value("oven/temp", 1)

    live(part)


def test_what_cannot_be_taken_is_answered_and_counted(receiver: Receiver, live: Live) -> None:
    async def part(source: Source) -> None:
        running = source(receiver.settings(largest=1024))
        json = "application/json"
        assert await receiver.post("/readings", "{}", json, token="guessed") == 401
        assert await receiver.post("/readings", "{}", "text/plain") == 415
        assert await receiver.post("/readings", "{", json) == 400
        assert await receiver.post("/readings", "{", SENML) == 400
        assert await receiver.post("/readings", b"x" * 2000, json) == 413
        assert await receiver.post("/waveforms/t1", b"1234", "application/octet-stream") == 404
        assert await receiver.post("/elsewhere", b"", json) == 404
        assert await receiver.post("/readings", '{"t1": "hot", "t2": 1}', json) == 204
        assert await receiver.post("/readings", '{"t1": 501}', json) == 204
        assert await receiver.post("/readings", '[{"n": "a", "v": NaN, "t": 0}]', SENML) == 204
        assert running.dropped == {
            "unauthorized": 1,
            "not_json": 2,
            "too_long": 1,
            "unknown_point": 2,
            "wrong_type": 1,
            "out_of_range": 1,
            "nan": 1,
        }
        assert running.readings == []

    live(part)


def test_a_port_that_is_taken_and_a_poor_token_are_told(receiver: Receiver, live: Live) -> None:
    async def part(source: Source) -> None:
        first = source(receiver.settings())
        await receiver.post("/readings", "{}", "application/json")
        second = source(receiver.settings())
        await second.phase("dead")
        assert str(receiver.port) in second.watch.state.why
        assert first.watch.state.phase == "ok"
        receiver.token.write_text("short")
        third = source(receiver.settings(port=free_port()))
        await third.phase("dead")
        assert "less than 16" in third.watch.state.why
        assert "short" not in third.watch.state.why

    live(part)


def test_with_a_certificate_it_speaks_tls(receiver: Receiver, live: Live, tmp_path: Path) -> None:
    pair = Pair.make(tmp_path, "gateway")

    async def part(source: Source) -> None:
        running = source(receiver.settings(cert_file=str(pair.cert), key_file=str(pair.key)))
        assert await receiver.post("/readings", '{"t1": 5}', "application/json", ca=pair.cert) == 204
        await running.value("oven/temp", 5)

    live(part)


def test_silence_is_reported_and_ends_with_a_value(receiver: Receiver, live: Live) -> None:
    async def part(source: Source) -> None:
        running = source(receiver.settings(silence_s=0.2))
        await running.phase("silent")
        before = len(running.states)
        await receiver.post("/readings", '{"t1": 1}', "application/json")
        await running.until(lambda: "ok" in running.states[before:])  # and it is silent again, a moment later

    live(part)
