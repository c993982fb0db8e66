"""What must survive deep sleep, in the 2,048 bytes of an ESP32's RTC memory: batches that were not acknowledged.

    0 magic  4 CRC-32 of the rest  8 next seq  12 batches dropped  16 ms to wait  20 clock set, s since 1970
    24 failures in a row  26 end of use  28 batches, oldest first

A batch is its id (16), seq (4), how many readings (1), flags (1), and the readings: ms since 1970 (8), three float32.

The last batch may be open: it takes readings until it is full and then gets its id, which it keeps however often it is
sent. When there is no room the oldest batch goes; the receiver sees a gap in `seq`. Power loss empties it all.
"""

import binascii
import struct

from .batch import uuid7, uuid_text

SIZE = 2048
MOST_READINGS = 30  # in a batch, so that three of them have room, and its body in the buffer of `Link`
_MAGIC = b"MWL1"
_FIXED = "<4sIIIIIHH"
_START = 28
_BATCH = "<16sIBB"
_BATCH_SIZE = 22
_READING = "<Qfff"
_READING_SIZE = 20
_SEALED, _TRIED = 1, 2


class Batch:
    """One sealed batch. ``again``: it was sent before and not acknowledged."""

    def __init__(self, made: bytes, seq: int, readings: list[tuple[int, tuple[float, ...]]], *, again: bool) -> None:
        """As it lies in memory."""
        self.id, self.seq, self.readings, self.again = uuid_text(made), seq, readings, again
        self.packet_id = seq % 65535 + 1  # stays with the batch, as its id does


class Backlog:
    """``memory``: SIZE bytes as `bytes` gave them before the sleep; anything else begins anew."""

    def __init__(self, memory: bytes) -> None:
        """Take over what is whole."""
        self._memory = bytearray(SIZE)
        self.seq = self.dropped = self.wait_ms = self.synced_s = self.failures = 0
        self._end = _START
        if len(memory) == SIZE and memory[:4] == _MAGIC:
            facts = struct.unpack_from(_FIXED, memory, 0)
            if facts[1] == binascii.crc32(memory[8:]):
                self._memory[:] = memory
                self.seq, self.dropped, self.wait_ms, self.synced_s, self.failures, self._end = facts[2:]

    def packed(self) -> bytearray:
        """The memory to keep over a sleep."""
        facts = (self.seq, self.dropped, self.wait_ms, self.synced_s, self.failures, self._end)
        struct.pack_into(_FIXED, self._memory, 0, _MAGIC, 0, *facts)
        check = binascii.crc32(memoryview(self._memory)[8:])
        struct.pack_into("<I", self._memory, 4, check)
        return self._memory

    def add(self, unix_ms: int, values: tuple[float, float, float], batch: int, random: bytes) -> None:
        """Keep one reading; the open batch is sealed with ``batch`` readings. ``random``: ten bytes for its id."""
        at = self._open()
        while self._end + _READING_SIZE + (0 if at is not None else _BATCH_SIZE) > SIZE:
            self.forget()
            self.dropped += 1
            at = self._open()
        if at is None:
            at = self._end
            struct.pack_into(_BATCH, self._memory, at, bytes(16), 0, 0, 0)
            self._end += _BATCH_SIZE
        struct.pack_into(_READING, self._memory, self._end, unix_ms, *values)
        self._end += _READING_SIZE
        count = self._memory[at + 20] + 1
        self._memory[at + 20] = count
        if count >= min(batch, MOST_READINGS):
            struct.pack_into(_BATCH, self._memory, at, uuid7(unix_ms, random), self.seq, count, _SEALED)
            self.seq = self.seq + 1 & 0xFFFFFFFF

    def oldest(self) -> Batch | None:
        """The oldest sealed batch, None where there is none."""
        if self._end == _START or not self._memory[_START + 21] & _SEALED:
            return None
        made, seq, count, flags = struct.unpack_from(_BATCH, self._memory, _START)
        readings = []
        for number in range(count):
            at = _START + _BATCH_SIZE + number * _READING_SIZE
            found = struct.unpack_from(_READING, self._memory, at)
            readings.append((found[0], found[1:]))
        return Batch(made, seq, readings, again=bool(flags & _TRIED))

    def trying(self) -> None:
        """The oldest batch is about to be sent: should nothing be heard of it, it is sent again as a duplicate."""
        self._memory[_START + 21] |= _TRIED

    def forget(self) -> None:
        """The oldest batch was acknowledged, or has to go."""
        size = self._size(_START)
        left = self._end - _START - size
        self._memory[_START : _START + left] = self._memory[_START + size : self._end]
        self._end -= size

    def _open(self) -> int | None:
        at, last = _START, None
        while at < self._end:
            last = at
            at += self._size(at)
        return None if last is None or self._memory[last + 21] & _SEALED else last

    def _size(self, at: int) -> int:
        return _BATCH_SIZE + self._memory[at + 20] * _READING_SIZE
