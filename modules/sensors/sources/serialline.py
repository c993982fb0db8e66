"""Serial lines: devices that say a line of text now and then (pyserial, pyserial-asyncio-fast)."""

import asyncio
import re
from pathlib import Path
from typing import Annotated, Final, Literal, Self

import serial
import serial_asyncio_fast
from pydantic import Field, field_validator, model_validator

from modules.common.settings import Part
from modules.sensors.lines import BadLine, Csv, Form, Nmea, Pattern, Splitter
from modules.sensors.payload import number
from modules.sensors.point import Point, Unusable
from modules.sensors.sources.base import Feed, SourceError, SourceSettings

_CHUNK: Final = 4096


class CsvForm(Part):
    """Values between separators."""

    form: Literal["csv"]
    separator: str = Field(",", min_length=1, max_length=4, title="Separator")
    columns: tuple[str, ...] = Field(
        (), max_length=100, title="Columns", description="without them fields are 1, 2, ..."
    )


class NmeaForm(Part):
    """Sentences of NMEA 0183 and its like."""

    form: Literal["nmea"]


class PatternForm(Part):
    """A regular expression with named groups, searched for in each line."""

    form: Literal["pattern"]
    pattern: str = Field(max_length=500, title="Pattern", description="t=(?P<temp>[-0-9.]+): each group is a field")

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            if not re.compile(pattern).groupindex:
                raise ValueError("the pattern has no named group")
        except re.error as error:
            raise ValueError(f"the pattern is wrong: {error}") from error
        return pattern


AnyForm = Annotated[CsvForm | NmeaForm | PatternForm, Field(discriminator="form")]


class SerialLine(SourceSettings):
    """A device on a serial line. A point's address is the name of its field."""

    type: Literal["serial"]
    path: Path = Field(title="Line", description="/dev/ttyUSB0, or better a name of /dev/serial/by-id")
    baud: int = Field(9600, ge=50, le=4_000_000, title="Bits per second")
    bits: Literal[7, 8] = Field(8, title="Data bits")
    parity: Literal["N", "E", "O"] = Field("N", title="Parity")
    stop_bits: Literal[1, 2] = Field(1, title="Stop bits")
    lines: AnyForm = Field(CsvForm(form="csv"), title="Form of its lines")
    longest: int = Field(512, ge=16, le=65_536, title="Longest line", description="bytes; a longer one is left out")
    interval_s: Annotated[float, Field(title="Interval", ge=0, le=86_400)] = 0.1

    @model_validator(mode="after")
    def _fields_are_there(self) -> Self:
        known: set[str] = set()
        if isinstance(self.lines, CsvForm):
            known = set(self.lines.columns)
        elif isinstance(self.lines, PatternForm):
            known = set(re.compile(self.lines.pattern).groupindex)
        for point in self.points:
            if known and point.address not in known:
                raise ValueError(f"{point.name}: no field {point.address}; there are: {', '.join(sorted(known))}")
            if point.rate_hz is not None:
                raise ValueError(f"{point.name}: a line carries no waveform")
        return self

    def make(self, points: tuple[Point, ...]) -> "SerialSource":
        """The source that reads `points`."""
        return SerialSource(self, points)


class SerialSource:
    """Reads one line."""

    def __init__(self, settings: SerialLine, points: tuple[Point, ...]) -> None:
        self._settings = settings
        self._points = {point.address: point for point in points}
        self._form = _form(settings.lines)

    async def run(self, feed: Feed) -> None:
        """Open the line and hand over what its lines say. Raises SourceError."""
        settings = self._settings
        try:
            reader, writer = await serial_asyncio_fast.open_serial_connection(
                url=str(settings.path),
                baudrate=settings.baud,
                bytesize=settings.bits,
                parity=settings.parity,
                stopbits=settings.stop_bits,
                exclusive=True,  # two readers would each get half of what it says
            )
        except (OSError, ValueError) as error:
            raise SourceError(f"{settings.path} cannot be opened: {error}") from error
        try:
            feed.connected()
            await self._read(reader, feed)
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader, feed: Feed) -> None:
        splitter = Splitter(self._settings.longest)
        while True:
            try:
                data = await reader.read(_CHUNK)
            except (OSError, serial.SerialException) as error:
                raise SourceError(f"{self._settings.path}: {error}") from error
            if not data:
                raise SourceError(f"{self._settings.path} was unplugged")
            for line in splitter.feed(data):
                self._take(line, feed)
            feed.refuse("line_too_long", splitter.too_long)
            splitter.too_long = 0

    def _take(self, line: bytes, feed: Feed) -> None:
        try:
            fields = self._form.fields(line.decode("ascii"))
        except UnicodeDecodeError:
            feed.refuse("not_text")
            return
        except BadLine as error:
            feed.refuse(error.reason)
            return
        for name, text in fields.items():
            point = self._points.get(name)
            if point is None:
                continue
            try:
                feed.take(point, number(text))
            except Unusable as error:
                feed.refuse(error.reason)


def _form(wanted: CsvForm | NmeaForm | PatternForm) -> Form:
    if isinstance(wanted, CsvForm):
        return Csv(wanted.separator, wanted.columns)
    return Nmea() if isinstance(wanted, NmeaForm) else Pattern(wanted.pattern)
