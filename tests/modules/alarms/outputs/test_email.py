"""Mail, to a real aiosmtpd."""

import asyncio
import email
from collections.abc import Iterator
from email.policy import default
from pathlib import Path

import pytest
from pydantic import ValidationError

from modules.alarms.outputs.email import Email, mail
from tests.modules.alarms.conftest import Live, Output, notice, queued
from tests.modules.alarms.parts import Mails
from tests.modules.sensors.parts import Pair


@pytest.fixture(scope="module")
def mails(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mails]:
    mails = Mails(tmp_path_factory.mktemp("mails"))
    yield mails
    mails.process.kill()


def test_a_mail_says_what_how_bad_and_what_to_do(mails: Mails, live: Live) -> None:
    async def part(output: Output) -> None:
        running = output(mails.settings())
        each = queued(1)
        running.put(each)
        await running.until(lambda: running.gone == [(1, "")])
        taken = mails.taken[-1]
        found = email.message_from_string(taken["text"], policy=default)
        assert taken["to"] == ["shift@example.com"]
        assert found["Subject"] == "[gw1] critical: press1/bearing: velocity 8.1 mm/s, limit 10 mm/s"
        assert found["Message-ID"] == f"<{each.notice.id}@example.com>"
        assert found["Auto-Submitted"] == "auto-generated"
        assert "immediate shutdown required" in found.get_content()

    live(part)


def test_starttls_and_a_login_from_a_file(live: Live, tmp_path: Path) -> None:
    pair = Pair.make(tmp_path, "mail")
    mails = Mails(tmp_path, pair)
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text("alarms:guess\n")
    wrong.write_text("alarms:sesame\n")
    secured = {"security": "starttls", "ca_file": str(pair.cert)}

    async def part(output: Output) -> None:
        running = output(mails.settings(credentials_file=str(right), patience_s=15, **secured))
        running.put(queued())
        await running.until(lambda: running.gone == [(1, "")])
        assert mails.taken[-1]["tls"] is True
        refused = output(mails.settings(credentials_file=str(wrong), patience_s=15, **secured))
        refused.put(queued())
        await refused.phase("failing")
        assert "user and password are refused" in refused.carrier.state.why
        assert "sesame" not in str(refused.carrier.facts())
        stranger = output(mails.settings(credentials_file=str(right), security="starttls"))
        stranger.put(queued())
        await stranger.phase("failing")
        assert "verify" in stranger.carrier.state.why.lower()

    try:
        live(part)
    finally:
        mails.process.kill()


def test_a_server_without_starttls_is_sent_nothing_in_the_clear(mails: Mails, live: Live, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("alarms:guess\n")
    before = len(mails.taken)

    async def part(output: Output) -> None:
        running = output(mails.settings(security="starttls", credentials_file=str(secret)))
        running.put(queued())
        await running.phase("failing")
        assert "STARTTLS" in running.carrier.state.why

    live(part)
    assert len(mails.taken) == before


def test_a_mail_that_is_refused_for_good_is_dropped_and_one_that_is_not_is_tried_on(mails: Mails, live: Live) -> None:
    async def part(output: Output) -> None:
        await asyncio.to_thread(mails.process.say, "451 later")
        running = output(mails.settings(retry_s=0.1))
        running.put(queued(1))
        await running.until(lambda: running.carrier.state.failures >= 6)
        await asyncio.to_thread(mails.process.say, "554 no")
        await running.until(lambda: running.gone == [(1, "refused")])
        await asyncio.to_thread(mails.process.say, "")
        running.put(queued(2))
        await running.until(lambda: running.gone == [(1, "refused"), (2, "")])

    live(part)


def test_a_person_whom_the_server_does_not_know_costs_nobody_else_the_mail(mails: Mails, live: Live) -> None:
    async def part(output: Output) -> None:
        running = output(mails.settings(to=["shift@example.com", "nobody@example.com"]))
        running.put(queued())
        await running.until(lambda: running.gone == [(1, "")])
        assert mails.taken[-1]["to"] == ["shift@example.com"]
        assert "nobody@example.com" in str(running.carrier.facts()["remark"])

    live(part)


@pytest.mark.parametrize("how", ["kill", "hang"])
def test_a_server_that_dies_or_hangs_is_told_and_gets_it_later(mails: Mails, live: Live, how: str) -> None:
    async def part(output: Output) -> None:
        running = output(mails.settings(patience_s=0.5))
        mails.process.kill() if how == "kill" else mails.process.hang()
        try:
            running.put(queued(7))
            await running.phase("failing")
        finally:
            await asyncio.to_thread(mails.process.start) if how == "kill" else mails.process.go_on()
        await running.until(lambda: running.gone == [(7, "")])
        assert "press7/bearing" in mails.taken[-1]["text"]

    live(part)


def test_no_alert_can_write_a_header() -> None:
    message = mail(notice(source="press\r\nBcc: all@example.com", text="a\nb"), "a@example.com", ("b@example.com",))
    assert message["Bcc"] is None
    assert "\n" not in message["Subject"]


def test_a_password_is_never_sent_in_the_clear() -> None:
    known = {"type": "email", "host": "h", "sender": "a@example.com", "to": ["b@example.com"]}
    with pytest.raises(ValidationError, match="TLS only"):
        Email.model_validate(known | {"security": "none", "credentials_file": "/secrets/mail"})
