"""What is packed comes out as it was, byte for byte; what cannot be read is refused in words."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.common.messages import (
    BadMessage,
    Message,
    encode_member,
    from_wire,
    id_time_ms,
    members,
    metered_units,
    new_id,
    pack,
)

TEXTS = st.text(max_size=12)
# What arrives went through the wire's text form: names of the contract are not free for others.
NAMES = st.text("abcxyz_", min_size=1, max_size=8).filter(
    lambda name: name not in {"kind", "schema", "source", "seq", "time", "severity", "model", "trace_id"}
)
BODIES = st.one_of(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**53), 2**53)
        | st.floats(allow_nan=False, allow_infinity=False)
        | TEXTS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
        max_leaves=6,
    ).map(orjson.dumps),
    st.binary(max_size=40),
    st.sampled_from([b'{"a": 1}', b"1e2", b'{"a":1,"a":2}', b"\xff", b'"\\u0041"', b"123456789012345678901234567890"]),
)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    json = draw(st.booleans())
    return Message(
        body=draw(BODIES),
        kind=draw(st.sampled_from(["window", "score", "sample", "anomaly"])),
        source=draw(TEXTS),
        seq=draw(st.integers(0, 10**9)),
        time=datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC),
        message_id=draw(st.text(min_size=1, max_size=40)),
        content_type="application/json" if json else draw(st.sampled_from([None, "image/jpeg", "application/json"])),
        content_encoding="utf-8" if json else None,
        severity=draw(st.sampled_from([None, "info"])),
        model=draw(st.sampled_from([None, "bearing 1.2.0"])),
        properties=draw(st.dictionaries(NAMES, TEXTS, max_size=3)),
    )


def packed(found: list[Message], *, compress: bool = False) -> Message:
    return pack(
        found[0], [encode_member(each) for each in found], [each.kind for each in found], seq=7, compress=compress
    )


def over_the_wire(message: Message) -> Message:
    return from_wire(
        message.body,
        message.facts(),
        message_id=message.message_id,
        content_type=message.content_type,
        content_encoding=message.content_encoding,
    )


@settings(deadline=None, max_examples=60)
@given(found=st.lists(messages(), min_size=1, max_size=5), compress=st.booleans())
def test_members_come_out_as_they_were(found: list[Message], compress: bool) -> None:
    arrival = over_the_wire(packed(found, compress=compress))
    assert members(arrival) == found
    assert arrival.properties["members"] == str(len(found))


@settings(deadline=None, max_examples=60)
@given(found=st.lists(messages(), min_size=2, max_size=4))
def test_the_id_is_the_bytes(found: list[Message]) -> None:
    assert packed(found) == packed(found)
    assert packed(found).message_id != packed(found[:-1]).message_id
    assert packed(found).message_id != packed(found, compress=True).message_id


def test_the_id_is_a_uuid_of_the_first_member_s_time() -> None:
    first = Message(
        body=b"{}", kind="window", source="s", seq=0, time=datetime.now(UTC), message_id=new_id(1_767_323_045_678)
    )
    assert id_time_ms(packed([first]).message_id) == 1_767_323_045_678


def test_what_is_no_batch_is_itself() -> None:
    alone = Message(body=b"x", kind="alert", source="s", seq=0, time=datetime.now(UTC), message_id="a")
    assert members(alone) == [alone]


@pytest.mark.parametrize(
    ("body", "encoding", "reason"),
    [
        (b"x", "gzip", "not_gzip"),
        (b"{", "utf-8", "not_json"),
        (b"[]", "utf-8", "wrong_shape"),
        (b"{}", "utf-8", "wrong_shape"),
        (b'{"members":[1]}', "utf-8", "wrong_shape"),
        (b'{"members":[{"id":"a"}]}', "utf-8", "wrong_shape"),
        (b'{"members":[{"id":"a","body":1}]}', "utf-8", "missing_property"),
        (b'{"members":[{"id":"a","body_b64":"?"}]}', "utf-8", "wrong_shape"),
    ],
)
def test_what_cannot_be_read_is_refused(body: bytes, encoding: str, reason: str) -> None:
    arrival = Message(
        body=body,
        kind="batch",
        source="cache",
        seq=0,
        time=datetime.now(UTC),
        message_id="a",
        content_type="application/json",
        content_encoding=encoding,
    )
    with pytest.raises(BadMessage) as caught:
        members(arrival)
    assert caught.value.reason == reason


def test_a_cut_and_an_endless_gzip_are_refused() -> None:
    first = Message(body=b"{}" * 50, kind="window", source="s", seq=0, time=datetime.now(UTC), message_id="a")
    whole = packed([first], compress=True)
    for body, reason in ((whole.body[:-9], "not_gzip"), (_bomb(), "oversize")):
        with pytest.raises(BadMessage) as caught:
            members(
                Message(
                    body=body,
                    kind="batch",
                    source="cache",
                    seq=0,
                    time=first.time,
                    message_id="a",
                    content_encoding="gzip",
                )
            )
        assert caught.value.reason == reason


def test_units_are_of_four_kilobytes_with_properties() -> None:
    def units(size: int) -> int:
        message = Message(body=b"", kind="window", source="s", seq=0, time=datetime.now(UTC), message_id="a")
        return metered_units(
            Message(
                body=b"x" * (size - message.wire_size()),
                kind="window",
                source="s",
                seq=0,
                time=message.time,
                message_id="a",
            )
        )

    assert [units(size) for size in (200, 4096, 4097, 8192, 8193)] == [1, 1, 2, 2, 3]


def _bomb() -> bytes:
    return gzip.compress(bytes(17 * 1024 * 1024), 9)
