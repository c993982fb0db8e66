from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest

from devices.arrival import messages
from modules.common.messages import Message, encode_member, pack


def member(number: int, **facts: Any) -> Message:
    values: dict[str, Any] = {
        "body": b'{"n":%d}' % number,
        "kind": "window",
        "source": "press4",
        "seq": number,
        "time": datetime(2026, 1, 2, tzinfo=UTC),
        "message_id": f"id {number}",
        "content_type": "application/json",
        "content_encoding": "utf-8",
    }
    return Message(**values | facts)


def arrived(message: Message, **body: Any) -> dict[str, Any]:
    """As localhub's cloud shows it."""
    return {
        "number": 7,
        "message_id": message.message_id,
        "module": "cache",
        "system": {"contentType": message.content_type, "contentEncoding": message.content_encoding},
        "properties": message.facts(),
        "size": 900,
        **body,
    }


@pytest.mark.parametrize("compress", [False, True])
def test_members_come_one_by_one(compress: bool) -> None:
    picture = member(2, body=b"\xff\xd8", kind="sample", content_type="image/jpeg", content_encoding=None)
    found = [member(1), picture]
    encoded = [encode_member(each) for each in found]
    batch = pack(found[0], encoded, ["window", "sample"], seq=1, compress=compress)
    shown = arrived(batch, body_b64=b64encode(batch.body).decode()) if compress else arrived(batch, body=batch.json())
    first, second = messages(shown)
    assert (first["message_id"], first["body"], first["properties"]["kind"]) == ("id 1", {"n": 1}, "window")
    assert (second["message_id"], second["body_b64"], second["system"]["contentType"]) == ("id 2", "/9g=", "image/jpeg")
    assert {each["number"] for each in (first, second)} == {7}
    assert first["size"] + second["size"] == 900
    assert first["batch"] == batch.message_id


def test_any_other_arrival_is_as_it_was() -> None:
    shown = arrived(member(1), body={"n": 1})
    assert list(messages(shown)) == [shown | {"batch": None}]
