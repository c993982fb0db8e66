"""Several messages in one, for the cloud bills per 4 KB: packing them, and reading what reached the cloud.

The bytes are in docs/formats/batch.md. Whoever reads upstream arrivals reads them through `members`, which gives the
one message of an arrival that is no batch.
"""

import binascii
import gzip
import zlib
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from modules.common.messages.ids import content_id
from modules.common.messages.message import JSON, UTF8, BadMessage, Message, from_wire

BATCH: Final = "batch"
GZIP: Final = "gzip"
METERED: Final = 4096  # bytes that IoT Hub bills as one message (its pricing page, paid tiers)

_LEVEL = 6
_LARGEST_BODY = 16 * 1024 * 1024  # of an unpacked batch: what it is packed into holds 256 KB


def metered_units(message: Message) -> int:
    """What IoT Hub bills for a message: its bytes with all properties in units of 4 KB."""
    return max(1, -(-message.wire_size() // METERED))


def encode_member(message: Message) -> bytes:
    """A message as a member of a batch, in JSON; its body comes out of `members` byte for byte."""
    facts: dict[str, Any] = {"id": message.message_id, **message.facts()}
    document: dict[str, Any] = {key: facts.pop(key) for key in ("id", "kind", "schema", "source", "time")}
    document["seq"] = message.seq
    del facts["seq"]
    if facts:
        document["properties"] = facts
    if (message.content_type, message.content_encoding) == (JSON, UTF8) and _comes_back(message.body):
        document["body"] = orjson.Fragment(message.body)
    else:
        document["content_type"] = message.content_type
        document["content_encoding"] = message.content_encoding
        document["body_b64"] = b64encode(message.body).decode()
    return orjson.dumps(document)


def pack(
    first: Message, encoded: Sequence[bytes], kinds: Sequence[str], *, seq: int, compress: bool, source: str = "cache"
) -> Message:
    """One message of members that `encode_member` made, `first` among them; `kinds` are theirs.

    Its id is made of its bytes: whatever has this id is this batch.
    """
    body = b'{"members":[' + b",".join(encoded) + b"]}"
    if compress:
        body = gzip.compress(body, _LEVEL, mtime=0)
    return Message(
        body=body,
        kind=BATCH,
        source=source,
        seq=seq,
        time=first.time,
        message_id=content_id(first.message_id, body),
        content_type=JSON,
        content_encoding=GZIP if compress else UTF8,
        properties={"members": str(len(encoded)), "kinds": ",".join(sorted(set(kinds)))},
    )


def members(arrival: Message) -> list[Message]:
    """The messages in one that reached the cloud, in their order: those of a batch, else it alone.

    Raises BadMessage (not_gzip, not_json, wrong_shape, oversize) for a batch that cannot be read.
    """
    if arrival.kind != BATCH:
        return [arrival]
    found = _object(_plain(arrival)).get("members")
    if not isinstance(found, list):
        raise BadMessage("wrong_shape", "a batch without members")
    return [_member(each) for each in found]


def member(encoded: bytes) -> Message:
    """The message that `encode_member` wrote. Raises BadMessage."""
    return _member(_object(encoded))


def _object(raw: bytes) -> dict[str, Any]:
    """A JSON object. Raises BadMessage."""
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadMessage("not_json", str(error)) from error
    if not isinstance(document, dict):
        raise BadMessage("wrong_shape", "not a JSON object")
    return document


def _comes_back(body: bytes) -> bool:
    """Whether a body nested in JSON can be had again byte for byte."""
    try:
        return orjson.dumps(orjson.loads(body)) == body
    except orjson.JSONDecodeError:
        return False


def _plain(arrival: Message) -> bytes:
    if arrival.content_encoding != GZIP:
        return arrival.body
    opener = zlib.decompressobj(wbits=31)
    try:
        body = opener.decompress(arrival.body, _LARGEST_BODY)
    except zlib.error as error:
        raise BadMessage("not_gzip", str(error)) from error
    if opener.unconsumed_tail:
        raise BadMessage("oversize", f"a batch of more than {_LARGEST_BODY} bytes")
    if not opener.eof:
        raise BadMessage("not_gzip", "it is cut short")
    return body


def _member(document: object) -> Message:
    if not isinstance(document, Mapping):
        raise BadMessage("wrong_shape", "a member that is no JSON object")
    nested = "body" in document
    try:
        body = orjson.dumps(document["body"]) if nested else b64decode(document["body_b64"], validate=True)
        properties = {str(key): str(value) for key, value in document.get("properties", {}).items()}
        named = {key: str(document[key]) for key in ("kind", "schema", "source", "time", "seq") if key in document}
    except (KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise BadMessage("wrong_shape", f"a member: {error!r}") from error
    return from_wire(
        body,
        properties | named,
        message_id=document.get("id"),
        content_type=JSON if nested else document.get("content_type"),
        content_encoding=UTF8 if nested else document.get("content_encoding"),
    )
