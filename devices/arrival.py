"""What reached the cloud, message by message: a batch of the cache's is taken apart (docs/formats/batch.md)."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from modules.common.messages import BATCH, JSON, UTF8, from_wire, members


def messages(arrival: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The messages in an arrival as localhub's cloud shows it, in the same form, each with `batch`: whose id, or None.

    The first carries the arrival's `size`, the others none, so that sizes still add up to what was sent.
    Raises BadMessage for a batch that cannot be read.
    """
    if arrival["properties"].get("kind") != BATCH:
        yield {**arrival, "batch": None}
        return
    body = b64decode(arrival["body_b64"]) if "body_b64" in arrival else orjson.dumps(arrival["body"])
    batch = from_wire(
        body,
        arrival["properties"],
        message_id=arrival["message_id"],
        content_type=arrival["system"].get("contentType"),
        content_encoding=arrival["system"].get("contentEncoding"),
    )
    size = arrival["size"]
    for member in members(batch):
        system = {"contentType": member.content_type, "contentEncoding": member.content_encoding}
        nested = (member.content_type, member.content_encoding) == (JSON, UTF8)
        yield {
            **{key: value for key, value in arrival.items() if key not in {"body", "body_b64"}},
            "message_id": member.message_id,
            "properties": member.facts(),
            "system": arrival["system"]
            | {"messageId": member.message_id}
            | {name: value for name, value in system.items() if value is not None},
            "size": size,
            "batch": arrival["message_id"],
            **({"body": member.json()} if nested else {"body_b64": b64encode(member.body).decode()}),
        }
        size = 0
