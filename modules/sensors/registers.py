"""Modbus points: which registers they are, how registers become numbers, and how many are read at once. Pure."""

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Self

from pydantic import Field, model_validator

from modules.sensors.point import Point

Table = Literal["holding", "input", "coil", "discrete"]
Kind = Literal["bool", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]
Order = Literal["ABCD", "CDAB", "BADC", "DCBA"]

# Modbus Application Protocol V1.1b3, 6.1 to 6.4: what one request may ask for.
MOST_REGISTERS: Final = 125
MOST_BITS: Final = 2000

_ADDRESS: Final = re.compile(r"^(holding|input|coil|discrete)/(\d{1,5})(?:\.(\d{1,2}))?$")
_CODES: Final = {
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
    "float32": "f",
    "float64": "d",
}


class ModbusPoint(Point):
    """One value of a Modbus device. Addresses are those of the protocol, from 0: `holding/0` is register 40001."""

    address: str = Field(title="Address", description="holding/7, input/7, coil/7, discrete/7, or holding/7.3: bit 3")
    kind: Kind = Field("int16", title="Type", description="of coils, discrete inputs and single bits it is bool")
    order: Order = Field("ABCD", title="Order of bytes", description="CDAB: low word first; BADC, DCBA: bytes swapped")
    count: int = Field(1, ge=1, le=10_000, title="Values", description="of an array: a waveform")
    device: int | None = Field(None, ge=0, le=255, title="Device", description="unit id, where not the source's")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        found = _ADDRESS.match(self.address)
        if found is None:
            raise ValueError("address must be like holding/7, input/7, coil/7, discrete/7 or holding/7.3")
        bit = found[3]
        if bit is not None and (int(bit) > 15 or found[1] in ("coil", "discrete") or self.count > 1):
            raise ValueError("a bit is 0 to 15 of one register")
        if self.kind == "bool" and found[1] in ("holding", "input") and bit is None:
            raise ValueError("a bool in a register needs its bit: holding/7.3")
        if self.start + self.width > 1 << 16:
            raise ValueError("address beyond 65535")
        if (self.count > 1) != (self.rate_hz is not None):
            raise ValueError("a count above 1 and rate_hz go together: a waveform")
        return self

    @property
    def table(self) -> Table:
        """Which table it stands in."""
        table: Table = self.address.partition("/")[0]  # type: ignore[assignment]  # the pattern allows no other
        return table

    @property
    def start(self) -> int:
        """Its first register or bit."""
        return int(self.address.partition("/")[2].partition(".")[0])

    @property
    def bits(self) -> bool:
        """Whether it stands in a table of bits."""
        return self.table in ("coil", "discrete")

    @property
    def width(self) -> int:
        """How many registers or bits it takes."""
        if self.bits or "." in self.address:
            return self.count
        return self.count * struct.calcsize(_CODES[self.kind]) // 2

    def value(self, found: Sequence[int]) -> object:
        """The raw value in its registers or bits: a number or truth value, or a list where it is an array."""
        if self.bits:
            values: list[object] = list(map(bool, found))
        elif "." in self.address:
            values = [bool(found[0] >> int(self.address.rpartition(".")[2]) & 1)]
        else:
            values = list(self._numbers(found))
        return values if self.rate_hz is not None else values[0]

    def _numbers(self, registers: Sequence[int]) -> Iterator[float]:
        code = _CODES[self.kind]
        each = struct.calcsize(code) // 2
        if self.order in ("CDAB", "DCBA") and each > 1:  # low word first: the words of each value, the other way round
            registers = [word for at in range(0, len(registers), each) for word in registers[at : at + each][::-1]]
        order = "<" if self.order in ("BADC", "DCBA") else ">"
        packed = struct.pack(f"{order}{len(registers)}H", *registers)
        found: tuple[float, ...] = struct.unpack(f">{len(registers) // each}{code}", packed)
        yield from found


@dataclass(frozen=True, slots=True)
class Span:
    """Neighbouring registers or bits that are read together, and the points in them."""

    device: int
    table: Table
    start: int
    count: int
    points: tuple[ModbusPoint, ...]

    @property
    def requests(self) -> Iterator[tuple[int, int]]:
        """Start and count of each request; more than one only for a point that is longer than a request."""
        most = MOST_BITS if self.table in ("coil", "discrete") else MOST_REGISTERS
        for start in range(self.start, self.start + self.count, most):
            yield start, min(most, self.start + self.count - start)

    def halves(self) -> tuple["Span", "Span"]:
        """The same in two parts, to find the point that the device refuses."""
        middle = len(self.points) // 2
        return _span(self.device, self.points[:middle]), _span(self.device, self.points[middle:])


def plan(points: Sequence[ModbusPoint], device: int, gap: int = 0) -> list[Span]:
    """The fewest requests for `points`. `device` is asked for those that name none.

    Up to `gap` registers (16 times as many bits) that nobody wants are read with those on either side.
    """
    spans: list[Span] = []
    waiting: list[ModbusPoint] = []

    def place(point: ModbusPoint) -> tuple[int, str, int, int]:
        return (device if point.device is None else point.device, point.table, point.start, point.width)

    end = 0
    for point in sorted(points, key=place):
        if waiting:
            first = waiting[0]
            most = MOST_BITS if point.bits else MOST_REGISTERS
            farthest = end + (gap * 16 if point.bits else gap)
            fits = max(end, point.start + point.width) - first.start <= most
            if place(point)[:2] != place(first)[:2] or point.start > farthest or not fits:
                spans.append(_span(place(first)[0], waiting))
                waiting = []
        end = max(end, point.start + point.width) if waiting else point.start + point.width
        waiting.append(point)
    if waiting:
        spans.append(_span(place(waiting[0])[0], waiting))
    return spans


def _span(device: int, points: Sequence[ModbusPoint]) -> Span:
    start = min(point.start for point in points)
    end = max(point.start + point.width for point in points)
    return Span(device, points[0].table, start, end - start, tuple(points))
