"""The pages of an SQLite file and its WAL, and the rows in them, whatever the trees around them look like.

The layout is SQLite's file format, https://www.sqlite.org/fileformat2.html: pages in section 1.6, varints and rows
in 2.1, the WAL in 4.1.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from modules.cache.store.budget import FRAME, PAGE, WAL_HEADER

INDEX_LEAF = 0x0A
TABLE_LEAF = 0x0D
_FILE_HEADER = 100
_LEAF_HEADER = 8
_PAGE_NUMBER = 4  # bytes of it, with which a frame begins
_INTEGER_BYTES = (0, 1, 2, 3, 4, 6, 8)
_LARGEST = {TABLE_LEAF: PAGE - 35, INDEX_LEAF: (PAGE - 12) * 64 // 255 - 23}
_LEAST = (PAGE - 12) * 32 // 255 - 23

Value = int | float | bytes | str | None


class Pages:
    """Page images by number, counted from 0: first the database's, then those of the WAL's frames, one after another.

    A frame's page keeps its own place in the file for the chains that lead to it: `chain` prefers the WAL's newest.
    """

    def __init__(self, database: Path) -> None:
        self._stack = ExitStack()
        self._main = self._map(database)
        self._wal = self._map(database.with_name(database.name + "-wal"))
        self.in_main = -(-len(self._main) // PAGE)
        self.frames = max(0, len(self._wal) - WAL_HEADER) // FRAME
        self._newest: dict[int, int] = {}
        for frame in range(self.frames):
            start = WAL_HEADER + frame * FRAME
            if self._wal[start + 8 : start + 16] == self._wal[16:24]:  # the salts: not left from before a checkpoint
                self._newest[int.from_bytes(self._wal[start : start + 4], "big") - 1] = frame

    def _map(self, path: Path) -> mmap.mmap | bytes:
        if not path.exists() or not path.stat().st_size:
            return b""
        file = self._stack.enter_context(path.open("rb"))
        return self._stack.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def __len__(self) -> int:
        return self.in_main + self.frames

    def __getitem__(self, number: int) -> bytes:
        if number < self.in_main:
            return bytes(self._main[number * PAGE : (number + 1) * PAGE])
        start = WAL_HEADER + (number - self.in_main) * FRAME + FRAME - PAGE
        return bytes(self._wal[start : start + PAGE])

    def _linked(self, number: int, *, from_wal: bool) -> bytes:
        """The overflow page with this number in the file, as a row in the WAL or in the database would find it."""
        if from_wal and number in self._newest:
            return self[self.in_main + self._newest[number]]
        return self[number] if 0 <= number < self.in_main else b""

    def rows(self, number: int, kind: int) -> Iterator[tuple[int, int, list[Value]]]:
        """Offset, rowid (0 in an index) and values of each cell of a leaf of this kind; nothing for any other page."""
        page = self[number]
        start = _FILE_HEADER if number == 0 else 0
        # One flipped bit in the byte that says what a page is must not cost the page.
        if len(page) < start + _LEAF_HEADER or (page[start] ^ kind).bit_count() > 1:
            return
        for index in range(int.from_bytes(page[start + 3 : start + 5], "big")):
            place = start + _LEAF_HEADER + 2 * index
            offset = int.from_bytes(page[place : place + 2], "big")
            try:
                yield offset, *self.row(number, offset, kind)
            except (IndexError, ValueError, struct.error):
                continue  # not a row: whoever salvages counts what is found, not what is not

    def row(self, number: int, offset: int, kind: int) -> tuple[int, list[Value]]:
        """Rowid and values of one cell. Raises ValueError or IndexError where there is none."""
        page = self[number]
        size, offset = _varint(page, offset)
        rowid, offset = _varint(page, offset) if kind == TABLE_LEAF else (0, offset)
        if size <= _LARGEST[kind]:
            payload = page[offset : offset + size]
        else:
            local = _LEAST + (size - _LEAST) % (PAGE - 4)
            local = local if local <= _LARGEST[kind] else _LEAST
            following = int.from_bytes(page[offset + local : offset + local + 4], "big")
            parts, missing = [page[offset : offset + local]], size - local
            while missing > 0 and following:
                linked = self._linked(following - 1, from_wal=number >= self.in_main)
                if not linked:
                    break
                parts.append(linked[4 : 4 + min(missing, PAGE - 4)])
                missing -= PAGE - 4
                following = int.from_bytes(linked[:4], "big")
            payload = b"".join(parts)
        if len(payload) != size:
            raise ValueError("a row that is cut short")
        return rowid, _values(payload)


def pages_in_wal(database: Path, frames: int) -> int:
    """How many different pages are among the first `frames` of its WAL; `frames` where the file cannot be read.

    Only the number of each page is read: not mapped, since a disk that fails under a map ends the process.
    """
    try:
        descriptor = os.open(database.with_name(database.name + "-wal"), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return frames
    try:
        starts = range(WAL_HEADER, WAL_HEADER + frames * FRAME, FRAME)
        numbers = {os.pread(descriptor, _PAGE_NUMBER, start) for start in starts}
    except OSError:
        return frames
    finally:
        os.close(descriptor)
    return len(numbers - {b""})  # nothing is read behind the end


def _values(payload: bytes) -> list[Value]:
    header, offset = _varint(payload, 0)
    if header > len(payload):
        raise ValueError("a header longer than its row")
    codes = []
    while offset < header:
        code, offset = _varint(payload, offset)
        codes.append(code)
    values: list[Value] = []
    for code in codes:
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
