"""A message as the bytes that are sealed, and back (docs/formats/cache.md, Sealed body)."""

from __future__ import annotations

import struct

import orjson

from modules.cache.record import AGGREGATES, ALERTS, SAMPLES, Record
from modules.common.messages import BadMessage, Message, parse_time, rfc3339

PRIORITY = {
    "alert": ALERTS,
    "window": AGGREGATES,
    "score": AGGREGATES,
    "anomaly": AGGREGATES,
    "verdict": AGGREGATES,
    "health": AGGREGATES,
    "sample": SAMPLES,
}
_LENGTH = struct.Struct(">I")
_OPTIONAL = ("content_type", "content_encoding", "severity", "model", "trace_id")


def priority_of(kind: str) -> int:
    """The priority of a kind of message. Raises BadMessage for a kind that does not go to the cloud."""
    try:
        return PRIORITY[kind]
    except KeyError:
        raise BadMessage("unknown_kind", f"{kind} is not for the cloud") from None


def wrap(message: Message) -> Record:
    """What the store keeps of a message. Raises BadMessage."""
    priority = priority_of(message.kind)
    header: dict[str, object] = {"schema": message.schema, "time": rfc3339(message.time)}
    header.update({name: value for name in _OPTIONAL if (value := getattr(message, name)) is not None})
    if message.properties:
        header["properties"] = dict(message.properties)
    head = orjson.dumps(header)
    return Record(
        message_id=message.message_id,
        priority=priority,
        kind=message.kind,
        source=message.source,
        source_seq=message.seq,
        payload=_LENGTH.pack(len(head)) + head + message.body,
    )


def unwrap(message_id: str, kind: str, source: str, source_seq: int, payload: bytes) -> Message:
    """The message again, its body byte for byte. Raises ValueError for a payload that `wrap` never made."""
    if len(payload) < _LENGTH.size:
        raise ValueError("an empty payload")
    end = _LENGTH.size + _LENGTH.unpack_from(payload)[0]
    header = orjson.loads(payload[_LENGTH.size : end])
    return Message(
        body=payload[end:],
        kind=kind,
        source=source,
        seq=source_seq,
        time=parse_time(header["time"]),
        message_id=message_id,
        schema=header["schema"],
        properties=header.get("properties", {}),
        **{name: header.get(name) for name in _OPTIONAL},
    )
