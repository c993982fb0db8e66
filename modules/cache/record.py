"""What the store is given and what it gives back, and the bytes that a record's seal binds together."""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass
from functools import lru_cache

PRIORITIES = (0, 1, 2)
ALERTS, AGGREGATES, SAMPLES = PRIORITIES

CONTEXT = b"millwatch cache 1"
LONGEST_ID = 128  # IoT Hub's own limit for a message id
_FACTS = struct.Struct(f">{len(CONTEXT)}sBqqqqqqH")
_LENGTH = struct.Struct(">H")
_UUID_CHARS = 36


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A message as the store keeps it: what may be read in clear, and the payload that is sealed."""

    message_id: str
    priority: int
    kind: str
    source: str
    source_seq: int
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A stored record without its payload: times in ms, `size` in sealed bytes, `state` stored, handed or confirmed."""

    seq: int
    message_id: str
    priority: int
    kind: str
    source: str
    source_seq: int
    at: int
    tick: int
    attempts: int
    size: int
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A record on its way out, its payload opened and authenticated; `waited_ms` on the store's clock, until now."""

    seq: int
    message_id: str
    priority: int
    kind: str
    source: str
    source_seq: int
    attempts: int
    size: int
    payload: bytes
    waited_ms: int = 0


def shown_id(raw: bytes | None, kind: str) -> str:
    """An id for a person to read, from its column's bytes and type, also where the column is damaged."""
    try:
        return unpack_id(raw or b"" if kind == "blob" else (raw or b"").decode())
    except ValueError:
        return f"damaged: {raw!r}"


def each(statement: str) -> tuple[str, ...]:
    """A statement on `{table}` for the table of each priority."""
    return tuple(statement.format(table=f"record{priority}") for priority in PRIORITIES)


def pack_id(message_id: str) -> bytes | str:
    """An id as its column holds it: 16 bytes for a UUID in canonical form (they are most), else the text."""
    if len(message_id) == _UUID_CHARS and message_id[8:24:5] == "----":
        digits = message_id.replace("-", "")
        try:
            packed = bytes.fromhex(digits)
        except ValueError:
            return message_id
        if len(packed) == 16 and packed.hex() == digits:
            return packed
    return message_id


def unpack_id(packed: bytes | str) -> str:
    """The id that `pack_id` was given."""
    return str(uuid.UUID(bytes=packed)) if isinstance(packed, bytes) else packed


def associated(
    priority: int,
    seq: int,
    at: int,
    tick: int,
    total_n: int,
    total_bytes: int,
    source_seq: int,
    message_id: str,
    kind: str,
    source: str,
) -> bytes:
    """The associated data of a record's seal (docs/formats/cache.md, Sealed body)."""
    raw = message_id.encode()
    facts = _FACTS.pack(CONTEXT, priority, seq, at, tick, total_n, total_bytes, source_seq, len(raw))
    return facts + raw + _sort(kind, source)


@lru_cache(maxsize=4096)
def _sort(kind: str, source: str) -> bytes:
    """Kind and source, each with its length; there are few of them."""
    raw_kind, raw_source = kind.encode(), source.encode()
    return _LENGTH.pack(len(raw_kind)) + raw_kind + _LENGTH.pack(len(raw_source)) + raw_source
