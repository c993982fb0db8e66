"""Readings packed as columns: what a concentrator sends instead of SenML, half as large and quicker to take in.

All numbers are little endian. The layout, byte by byte, is in docs/formats/messages.md:

    0   4  magic "MWR1"
    4   1  flags: 1 values are float64 (else float32), 2 readings refer to names by number
    5   1  U, units (at most 254)
    6   2  P, bytes of the prefix
    8   4  N, readings
    12  4  M, names
    16  4  L, bytes of the names
    20  8  base time, float64, seconds since the epoch
    28  4  CRC-32 of all that follows
    32  P  prefix of all names, UTF-8
        L  M names, UTF-8, each ended by a line feed
           U units, each one byte of length and UTF-8
           N values
           N int32: microseconds after the base time
           N uint32: which name, with flag 2; else N = M and each name is said once, in order
           N uint8: which unit, 255 for none; only where U is above 1
"""

import math
import struct
import sys
import zlib
from array import array
from collections.abc import Sequence
from typing import Final, TypeVar

from modules.common.messages.message import BadMessage
from modules.common.messages.senml import Reading, ReadingBatch, common_prefix

N = TypeVar("N", int, float)

_MAGIC: Final = b"MWR1"
_HEAD: Final = struct.Struct("<4sBBHIIIdI")
_DOUBLE: Final = 1
_NUMBERED: Final = 2
_NO_UNIT: Final = 255
_MOST: Final = 100_000  # readings; more would not fit a message anyway
_FARTHEST_US: Final = (1 << 31) - 1


def encode(records: Sequence[Reading], *, double: bool = False) -> bytes:
    """Pack `records`; values as float64 where `double`, else as float32 (relative error up to 6e-8).

    Times are kept to the microsecond. Raises BadMessage: nan, no_name (empty, or with a line feed), no_time (more than
    35 minutes from the first), wrong_shape (more than 254 units).
    """
    base = records[0].time if records else 0.0
    offsets = [round((record.time - base) * 1e6) for record in records]
    if any(abs(offset) > _FARTHEST_US for offset in offsets):
        raise BadMessage("no_time", "readings more than 35 minutes apart")
    names = dict.fromkeys(record.name for record in records)
    if any(not name or "\n" in name for name in names):
        raise BadMessage("no_name", "a name is empty or has a line feed")
    prefix = common_prefix(list(names))
    text = "".join(f"{name[len(prefix) :]}\n" for name in names).encode()
    units = [unit for unit in dict.fromkeys(record.unit for record in records) if unit is not None]
    mixed = len(units) + any(record.unit is None for record in records) > 1
    if mixed and len(units) == 1:
        units.append("")  # so that the units of readings are written down
    if len(units) >= _NO_UNIT or any(len(unit.encode()) > _NO_UNIT for unit in units):
        raise BadMessage("wrong_shape", "too many units, or too long ones")
    values = array("d" if double else "f", (record.value for record in records))
    if not all(map(math.isfinite, values)):
        raise BadMessage("nan", "a value that is not finite, or too large for float32")
    numbered = len(names) < len(records)
    parts = [prefix.encode(), text, *(bytes([len(unit.encode())]) + unit.encode() for unit in units)]
    parts += [_bytes(values), _bytes(array("i", offsets))]
    if numbered:
        number = {name: place for place, name in enumerate(names)}
        parts.append(_bytes(array("I", (number[record.name] for record in records))))
    if len(units) > 1:
        place = {unit: number for number, unit in enumerate(units)}
        parts.append(bytes(_NO_UNIT if record.unit is None else place[record.unit] for record in records))
    body = b"".join(parts)
    flags = _DOUBLE * double | _NUMBERED * numbered
    head = (_MAGIC, flags, len(units), len(parts[0]), len(records), len(names), len(text), base, zlib.crc32(body))
    return _HEAD.pack(*head) + body


def decode(body: bytes) -> ReadingBatch:
    """The readings of a packed body. A reading that is not finite or without name is counted and left out.

    Raises BadMessage: wrong_shape (torn, of another length, not UTF-8, numbers out of range), checksum, no_time.
    """
    if len(body) < _HEAD.size:
        raise BadMessage("wrong_shape", "shorter than its head")
    magic, flags, n_units, n_prefix, count, n_names, n_text, base, checksum = _HEAD.unpack_from(body)
    if magic != _MAGIC or flags & ~(_DOUBLE | _NUMBERED) or count > _MOST or n_names > count:
        raise BadMessage("wrong_shape", "not a packed batch of this version")
    if zlib.crc32(memoryview(body)[_HEAD.size :]) != checksum:
        raise BadMessage("checksum", "the body is not what was packed")
    if not math.isfinite(base):
        raise BadMessage("no_time", "the base time is not finite")
    rest = _Rest(body, _HEAD.size)
    try:
        prefix, text = rest.take(n_prefix).decode(), rest.take(n_text).decode()
        units: list[str | None] = [rest.take(rest.take(1)[0]).decode() for _ in range(n_units)]
    except UnicodeDecodeError as error:
        raise BadMessage("wrong_shape", str(error)) from error
    names = [prefix + name for name in text.split("\n")[:-1]]
    values = rest.numbers(array("d" if flags & _DOUBLE else "f"), count)
    offsets = rest.numbers(array("i"), count)
    numbers = rest.numbers(array("I"), count) if flags & _NUMBERED else None
    which = rest.take(count) if n_units > 1 else None
    if rest.left or len(names) != n_names or (numbers is None and n_names != count):
        raise BadMessage("wrong_shape", "of another length than its head says")
    try:
        found = names if numbers is None else [names[number] for number in numbers]
        shared = units[0] if units else None
        given = [shared] * count if which is None else [None if u == _NO_UNIT else units[u] for u in which]
    except IndexError:
        raise BadMessage("wrong_shape", "a name or unit that is not there") from None
    batch = ReadingBatch(found, values, [base + offset * 1e-6 for offset in offsets], given)
    return batch if all(names) and all(map(math.isfinite, values)) else _usable(batch)


def _usable(batch: ReadingBatch) -> ReadingBatch:
    kept = ReadingBatch([], [], [], [])
    for name, value, time, unit in zip(batch.names, batch.values, batch.times, batch.units, strict=True):
        if not name or not math.isfinite(value):
            reason = "nan" if name else "no_name"
            kept.rejected[reason] = kept.rejected.get(reason, 0) + 1
            continue
        kept.names.append(name)
        kept.values.append(value)
        kept.times.append(time)
        kept.units.append(unit)
    return kept


class _Rest:
    """What of a body has not been read yet."""

    def __init__(self, body: bytes, place: int) -> None:
        self._body = memoryview(body)
        self._place = place

    @property
    def left(self) -> int:
        return len(self._body) - self._place

    def take(self, size: int) -> bytes:
        if size > self.left:
            raise BadMessage("wrong_shape", "shorter than its head says")
        self._place += size
        return bytes(self._body[self._place - size : self._place])

    def numbers(self, found: "array[N]", count: int) -> "list[N]":
        found.frombytes(self.take(count * found.itemsize))
        if sys.byteorder == "big":
            found.byteswap()
        return found.tolist()


def _bytes(numbers: "array[float] | array[int]") -> bytes:
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()
