"""Reading records out of a damaged file, page by page, whatever the trees around them look like.

The layout of a page is SQLite's file format, https://www.sqlite.org/fileformat2.html (sections 1.6, 2.1 and 2.3). Only what authenticates counts,
so a page that is read wrongly yields nothing rather than nonsense.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from modules.cache.record import PRIORITIES, Record, associated, unpack_id
from modules.cache.sealing import DamagedRecordError, Sealer
from modules.cache.store.budget import PAGE

_TABLE_LEAF = 0x0D
_FILE_HEADER = 100
_LEAF_HEADER = 8
_RECORD_COLUMNS = 11
_MARK_COLUMNS = 14
_INTEGER_BYTES = (0, 1, 2, 3, 4, 6, 8)
Value = int | float | bytes | str | None


@dataclass(frozen=True, slots=True)
class Salvaged:
    """A record that authenticated, with the place it had."""

    seq: int
    record: Record


def salvage(path: Path, sealer: Sealer) -> list[Salvaged]:
    """Every unconfirmed record of a database file and its WAL that still authenticates, in order, each id once."""
    found: dict[str, Salvaged] = {}
    confirmed = dict.fromkeys(PRIORITIES, 0)
    for image in _images(path):
        for number in range(len(image)):
            for seq, values in _cells(image, number):
                if len(values) == _MARK_COLUMNS:
                    _read_mark(seq, values, confirmed)
                elif len(values) == _RECORD_COLUMNS:
                    item = _read_record(seq, values, sealer)
                    if item is not None:
                        found[item.record.message_id] = item
    kept = [item for item in found.values() if item.seq > confirmed[item.record.priority]]
    return sorted(kept, key=lambda item: item.seq)


def _images(path: Path) -> Iterator[list[bytes]]:
    """The pages of the database, then as the WAL's whole frames leave them (each frame's page alone would lose its overflow)."""
    raw = path.read_bytes() if path.exists() else b""
    pages = [raw[start : start + PAGE] for start in range(0, len(raw), PAGE)]
    yield pages
    wal = path.with_name(path.name + "-wal")
    raw = wal.read_bytes() if wal.exists() else b""
    if len(raw) <= 32:
        return
    salts = raw[16:24]
    overlaid = list(pages)
    for start in range(32, len(raw) - PAGE - 23, PAGE + 24):
        number = int.from_bytes(raw[start : start + 4], "big")
        if raw[start + 8 : start + 16] != salts or not 0 < number <= len(overlaid) + 1 + len(raw) // PAGE:
            continue
        while len(overlaid) < number:
            overlaid.append(b"")
        overlaid[number - 1] = raw[start + 24 : start + 24 + PAGE]
    yield overlaid


def _read_mark(priority: int, values: list[Value], confirmed: dict[int, int]) -> None:
    """A row of the table mark, told by its number of columns and by integers that fit together."""
    numbers = [value for value in values[1:] if isinstance(value, int)]
    if priority in confirmed and len(numbers) == _MARK_COLUMNS - 1 and 0 <= numbers[0] <= numbers[1] <= numbers[-2]:
        confirmed[priority] = max(confirmed[priority], numbers[0])


def _read_record(seq: int, values: list[Value], sealer: Sealer) -> Salvaged | None:
    """The record in a row's values; its priority is the one under which it authenticates."""
    _, packed, kind, source, source_seq, at, tick, total_n, total_bytes, _, body = values
    if not (isinstance(packed, (bytes, str)) and isinstance(kind, str) and isinstance(source, str)):
        return None
    if not isinstance(body, bytes):
        return None
    facts = [value for value in (at, tick, total_n, total_bytes, source_seq) if isinstance(value, int)]
    for priority in PRIORITIES:
        try:
            message_id = unpack_id(packed)
            payload = sealer.open(body, associated(priority, seq, *facts, message_id, kind, source))
        except (DamagedRecordError, ValueError, TypeError, struct.error):
            continue
        record = Record(
            message_id=message_id,
            priority=priority,
            kind=kind,
            source=source,
            source_seq=facts[-1],
            payload=payload,
        )
        return Salvaged(seq, record)
    return None


def _cells(pages: list[bytes], number: int) -> Iterator[tuple[int, list[Value]]]:
    """Rowid and values of each cell of a table leaf; nothing for any other page."""
    page = pages[number]
    start = _FILE_HEADER if number == 0 else 0
    if len(page) < start + _LEAF_HEADER or page[start] != _TABLE_LEAF:
        return
    count = int.from_bytes(page[start + 3 : start + 5], "big")
    for index in range(count):
        place = start + _LEAF_HEADER + 2 * index
        offset = int.from_bytes(page[place : place + 2], "big")
        try:
            cell = _cell(pages, page, offset)
        except (IndexError, ValueError, struct.error):
            continue
        if cell is not None:
            yield cell


def _cell(pages: list[bytes], page: bytes, offset: int) -> tuple[int, list[Value]] | None:
    size, offset = _varint(page, offset)
    rowid, offset = _varint(page, offset)
    usable = PAGE
    largest, least = usable - 35, (usable - 12) * 32 // 255 - 23
    if size <= largest:
        payload = page[offset : offset + size]
    else:
        local = least + (size - least) % (usable - 4)
        local = local if local <= largest else least
        payload = page[offset : offset + local]
        following = int.from_bytes(page[offset + local : offset + local + 4], "big")
        parts, missing = [payload], size - local
        while missing > 0 and 0 < following <= len(pages):
            overflow = pages[following - 1]
            parts.append(overflow[4 : 4 + min(missing, usable - 4)])
            missing -= usable - 4
            following = int.from_bytes(overflow[:4], "big")
        payload = b"".join(parts)
    return (rowid, _values(payload)) if len(payload) == size else None


def _values(payload: bytes) -> list[Value]:
    header, offset = _varint(payload, 0)
    if header > len(payload):
        raise ValueError("a header longer than its row")
    types = []
    while offset < header:
        code, offset = _varint(payload, offset)
        types.append(code)
    values: list[Value] = []
    for code in types:
        value, offset = _value(payload, offset, code)
        values.append(value)
    return values


def _value(payload: bytes, offset: int, code: int) -> tuple[Value, int]:
    if code == 0:
        return None, offset
    if code < len(_INTEGER_BYTES):
        end = offset + _INTEGER_BYTES[code]
        return int.from_bytes(payload[offset:end], "big", signed=True), end
    if code in {8, 9}:
        return code - 8, offset
    if code < 12:
        raise ValueError("no value of ours")
    end = offset + (code - 12) // 2
    raw = payload[offset:end]
    return (raw if code % 2 == 0 else raw.decode()), end


def _varint(raw: bytes, offset: int) -> tuple[int, int]:
    """SQLite's variable-length integer (big-endian, seven bits a byte, nine bytes at most) and where it ends."""
    value = 0
    for index in range(8):
        byte = raw[offset + index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, offset + index + 1
    return value << 8 | raw[offset + 8], offset + 9
