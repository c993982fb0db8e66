from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.common.messages import (
    KINDS,
    MAX_PACKET,
    Alert,
    BadMessage,
    Message,
    Waveform,
    derived_id,
    from_wire,
    json_message,
    new_id,
    parse_time,
    rfc3339,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC)
TEXT = st.text(st.characters(codec="utf-8", max_codepoint=0x2FFF), min_size=1, max_size=20)
MESSAGES = st.builds(
    Message,
    body=st.binary(max_size=50),
    kind=st.sampled_from(sorted(KINDS)),
    source=TEXT,
    seq=st.integers(0, 1 << 60),
    time=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001 - made aware in the same breath
        lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000, tzinfo=UTC)
    ),
    message_id=TEXT,
    content_type=st.none() | TEXT,
    content_encoding=st.none() | TEXT,
    severity=st.none() | TEXT,
    model=st.none() | TEXT,
    trace_id=st.none() | TEXT,
    properties=st.dictionaries(st.sampled_from(["rate", "unit", "width", "item"]), TEXT),
)


def arrive(message: Message, **extra: str) -> Message:
    return from_wire(
        message.body,
        message.facts() | extra,
        message_id=message.message_id,
        content_type=message.content_type,
        content_encoding=message.content_encoding,
    )


@given(MESSAGES)
def test_a_message_survives_the_wire(message: Message) -> None:
    assert arrive(message) == message


def test_edgehubs_own_properties_say_where_it_came_from_and_are_not_sent_back() -> None:
    message = json_message({}, kind="alert", source="s", seq=1, time=NOW)
    arrived = arrive(message, **{"$.cdid": "gw1", "$.cmid": "vibration", "$.ctime": "x"})
    assert arrived.origin == "gw1/vibration"
    assert arrived.facts() == message.facts()
    assert arrive(message, **{"$.cdid": "sensors"}).origin == "sensors"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kind": None}, "missing_property"),
        ({"source": None}, "missing_property"),
        ({"time": None}, "missing_property"),
        ({"kind": "gossip"}, "unknown_kind"),
        ({"seq": "x"}, "wrong_shape"),
        ({"time": "2026-01-02T03:04:05"}, "wrong_shape"),
    ],
)
def test_missing_and_broken_facts_have_a_reason(change: dict[str, str | None], reason: str) -> None:
    facts = json_message({}, kind="alert", source="s", seq=1, time=NOW).facts() | change
    with pytest.raises(BadMessage) as caught:
        from_wire(
            b"{}",
            {key: value for key, value in facts.items() if value is not None},
            message_id="1",
            content_type=None,
            content_encoding=None,
        )
    assert caught.value.reason == reason


def test_a_message_without_id_is_refused() -> None:
    with pytest.raises(BadMessage, match="message_id"):
        from_wire(b"", {}, message_id=None, content_type=None, content_encoding=None)


def test_time_is_utc_with_milliseconds() -> None:
    assert rfc3339(NOW) == "2026-01-02T03:04:05.678Z"
    assert rfc3339(NOW.astimezone(timezone(timedelta(hours=2)))) == "2026-01-02T03:04:05.678Z"
    assert parse_time("2026-01-02T05:04:05.678+02:00") == NOW
    with pytest.raises(ValueError, match="zone"):
        rfc3339(NOW.replace(tzinfo=None))


def test_json_body_is_labelled_so_that_edgehub_can_route_on_it() -> None:
    message = json_message({"value": 1.5}, kind="window", source="s", seq=1, time=NOW)
    assert (message.content_type, message.content_encoding) == ("application/json", "utf-8")
    assert message.document() == {"value": 1.5}


@pytest.mark.parametrize(("body", "reason"), [(b"{", "not_json"), (b"[]", "wrong_shape")])
def test_a_body_that_is_no_object_has_a_reason(body: bytes, reason: str) -> None:
    message = Message(body=body, kind="alert", source="s", seq=0, time=NOW, message_id="1")
    with pytest.raises(BadMessage) as caught:
        message.document()
    assert caught.value.reason == reason


def test_sizes_count_properties_too() -> None:
    bare = Message(body=b"x" * 10, kind="frame", source="s", seq=0, time=NOW, message_id="12")
    facts = sum(len(key) + len(value) for key, value in bare.facts().items())
    assert bare.wire_size() == 10 + len("$.mid") + 2 + facts
    spaced = Message(
        body=b"", kind="frame", source="s", seq=0, time=NOW, message_id="12", properties={"item": " " * MAX_PACKET}
    )
    assert spaced.packet_size("frames") > 3 * MAX_PACKET


@given(
    st.binary(min_size=4, max_size=64).map(lambda b: b[: len(b) // 4 * 4]),
    st.floats(1, 1e6),
    st.none() | st.floats(0, 1e5),
)
def test_a_waveform_survives_its_message(samples: bytes, rate: float, rpm: float | None) -> None:
    block = Waveform(samples=samples, rate_hz=rate, unit="m/s2", time=NOW, source="press4/bearing1", seq=3, rpm=rpm)
    assert Waveform.of(block.message()) == block


@pytest.mark.parametrize(
    "facts",
    [{"count": "2"}, {"count": "0"}, {"rate": "0"}, {"rate": "nan"}, {"rate": "x"}, {"rpm": "inf"}, {"rpm": "-1"}],
)
def test_a_truncated_or_odd_waveform_is_refused(facts: dict[str, str]) -> None:
    good = Waveform(samples=b"\0" * 4, rate_hz=12000, unit="m/s2", time=NOW, source="s", seq=0).message()
    message = arrive(good, **facts)
    with pytest.raises(BadMessage) as caught:
        Waveform.of(message)
    assert caught.value.reason == "wrong_shape"


def test_an_alert_survives_its_document_and_keeps_its_id_when_made_again() -> None:
    parent = json_message({}, kind="readings", source="s", seq=1, time=NOW, message_id=new_id())
    alert = Alert(
        source="press4/temp",
        rule="level",
        severity="critical",
        state="raised",
        text="hot",
        sampled=NOW,
        value=81.5,
        limit=100,
        unit="Cel",
        evidence={"risk": 0.81},
    )
    first = alert.message(parent, module="vibration", output="alerts", index=0, seq=9)
    again = alert.message(parent, module="vibration", output="alerts", index=0, seq=9)
    assert Alert.parse(first.document()) == alert
    assert first == again
    assert first.message_id == derived_id(parent.message_id, "vibration", "alerts", 0)
    assert (first.severity, first.trace_id) == ("critical", parent.message_id)


@pytest.mark.parametrize(
    "change",
    [
        {"severity": "mild"},
        {"state": "new"},
        {"sampled": "yesterday"},
        {"text": ""},
        {"value": "1"},
        {"value": True},
        {"source": None},
        {"evidence": [1]},
    ],
)
def test_a_malformed_alert_is_refused(change: dict[str, object]) -> None:
    good = Alert(source="s", rule="r", severity="info", state="raised", text="t", sampled=NOW).document()
    with pytest.raises(BadMessage) as caught:
        Alert.parse(good | change)
    assert caught.value.reason == "wrong_shape"
