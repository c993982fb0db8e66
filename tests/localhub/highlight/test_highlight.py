"""Messages in one line, each once."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from localhub.highlight import LONGEST, REMEMBERED, Highlights


def alert(identity: str | None, body: str = '{"text": "too hot", "source": "press3"}') -> dict[str, Any]:
    return {
        "source": "gw1/vibration",
        "properties": {"kind": "alert", "severity": "critical"},
        "system": {} if identity is None else {"messageId": identity},
        "body": body,
    }


def test_everything_without_a_form() -> None:
    line = Highlights(None).line(alert("1", "a\n b"))
    assert line == "gw1/vibration kind=alert severity=critical a b"


def test_a_form_takes_properties_and_the_bodys_members() -> None:
    highlights = Highlights("${severity} ${source}: ${text} ${nothing}")
    assert highlights.line(alert("1")) == "critical press3: too hot ${nothing}"
    assert highlights.line(alert("2", "[1]")) == "critical gw1/vibration: ${text} ${nothing}"


def test_a_message_that_is_passed_on_is_shown_once() -> None:
    highlights = Highlights(None)
    assert highlights.line(alert("1"))
    assert highlights.line(alert("1")) is None
    assert highlights.line(alert(None))
    assert highlights.line(alert(None))
    assert highlights.line({"missed": 3}) is None


def test_what_is_remembered_is_bounded() -> None:
    highlights = Highlights(None)
    for number in range(REMEMBERED + 1):
        assert highlights.line(alert(str(number)))
    assert highlights.line(alert("0"))
    assert highlights.line(alert(str(REMEMBERED))) is None


@given(st.text(), st.text())
def test_whatever_a_message_holds_it_is_one_short_line(form: str, body: str) -> None:
    message = {**alert(None, body), "time": "2026-01-02T03:04:05.000Z"}
    line = Highlights(form.replace("$", "")).line(message)
    assert line is not None
    assert len(line) <= LONGEST
    assert len(line.splitlines()) == 1
