"""What the module and its child say to each other: a JSON head and a body, each with its length before it.

u32 length of head | u32 length of body | head | body        (little endian)
"""

import struct
from typing import IO, Any, Final

import orjson

LENGTHS: Final = struct.Struct("<II")
MAX_BODY: Final = 64 << 20


def pack(head: object, body: bytes = b"") -> bytes:
    """The bytes of one message."""
    text = orjson.dumps(head)
    return LENGTHS.pack(len(text), len(body)) + text + body


def lengths(prefix: bytes) -> tuple[int, int]:
    """Lengths of head and body. Raises ValueError for what no honest sender writes."""
    head, body = LENGTHS.unpack(prefix)
    if head > MAX_BODY or body > MAX_BODY:
        raise ValueError("a message of the child is out of bounds")
    return head, body


def read(stream: IO[bytes]) -> tuple[dict[str, Any], bytes] | None:
    """The next message of a blocking stream; None at its end."""
    prefix = stream.read(LENGTHS.size)
    if len(prefix) < LENGTHS.size:
        return None
    head, body = lengths(prefix)
    document: dict[str, Any] = orjson.loads(stream.read(head))
    return document, stream.read(body)
