"""Message ids: the key to 'nothing twice'.

A source makes a UUIDv7 (RFC 9562, 5.7). A derived message gets a UUIDv8 (RFC 9562, 5.8) made of its parent's 48-bit
time and a hash of what it was derived from, so that handling an input twice gives the same ids again, and ids stay
in order of time, which keeps every index on them fast.
"""

import os
import time
from hashlib import blake2b

_VARIANT = 0b10 << 62
_RANDOM_62 = (1 << 62) - 1


def new_id(now_ms: int | None = None) -> str:
    """A fresh UUIDv7; `now_ms` is milliseconds since the epoch, by default now."""
    milliseconds = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    random = int.from_bytes(os.urandom(10), "big")
    return _text(milliseconds & 0xFFFF_FFFF_FFFF, 0x7000 | random >> 62 & 0xFFF, _VARIANT | random & _RANDOM_62)


def derived_id(parent_id: str, module: str, output: str, index: int) -> str:
    """The UUIDv8 of the `index`-th message that `module` sends to `output` in answer to the message `parent_id`.

    The same four arguments give the same id on every machine. A parent whose id is no UUID (a foreign leaf device's)
    lends no time: its hash stands there instead.
    """
    digest = blake2b(f"{parent_id}\n{module}\n{output}\n{index}".encode(), digest_size=16).digest()
    low = int.from_bytes(digest[:10], "big")
    return _text(_time_of(parent_id), 0x8000 | low >> 62 & 0xFFF, _VARIANT | low & _RANDOM_62)


def content_id(parent_id: str, content: bytes) -> str:
    """The UUIDv8 of what was made of several messages, `parent_id` the first: its time, and a hash of its bytes.

    Equal content gives equal ids and other content another, so who sees an id twice has seen the same twice.
    """
    low = int.from_bytes(blake2b(content, digest_size=16, person=b"millwatch batch").digest()[:10], "big")
    return _text(_time_of(parent_id), 0x8000 | low >> 62 & 0xFFF, _VARIANT | low & _RANDOM_62)


def id_time_ms(message_id: str) -> int:
    """The milliseconds since the epoch that a UUIDv7, or a UUIDv8 derived from one, begins with."""
    return _time_of(message_id)


def _time_of(message_id: str) -> int:
    if len(message_id) == 36 and message_id[8] == "-" and message_id[13] == "-":
        try:
            return int(message_id[:8] + message_id[9:13], 16)
        except ValueError:
            pass  # looks like a UUID and is none: treated as foreign, below
    return int.from_bytes(blake2b(message_id.encode(), digest_size=6).digest(), "big")


def _text(time_48: int, version_16: int, variant_64: int) -> str:
    head, tail = f"{time_48:012x}", f"{variant_64:016x}"
    return f"{head[:8]}-{head[8:]}-{version_16:04x}-{tail[:4]}-{tail[4:]}"
