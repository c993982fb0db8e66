"""Lines of a serial device: cut out of the stream, and taken apart into named fields. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

_NMEA: Final = re.compile(r"^[$!](?P<body>[A-Z]{1,5}[^*]*)(?:\*(?P<sum>[0-9A-Fa-f]{2}))?$")


class BadLine(ValueError):
    """A line that says nothing usable. `reason` is a short label for counters."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Splitter:
    """Cuts a stream of bytes into lines of at most `longest` bytes. The first, seen from its middle on, is left out."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._rest = b""
        self._skipping = True
        self.too_long = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, without their ends."""
        *lines, rest = re.split(rb"[\r\n]+", self._rest + data)
        whole = []
        for line in lines:
            if self._skipping:
                self._skipping = False
            elif len(line) > self._longest:
                self.too_long += 1
            elif line:
                whole.append(line)
        if len(rest) > self._longest:
            if not self._skipping:
                self.too_long += 1
            self._skipping, rest = True, b""
        self._rest = rest
        return whole


class Form(Protocol):
    """How a line is taken apart."""

    def fields(self, line: str) -> Mapping[str, str]:
        """The line's fields by name. Raises BadLine."""


class Csv:
    """Values between separators: the fields of `columns`, or without them 1, 2 and on."""

    def __init__(self, separator: str, columns: Sequence[str]) -> None:
        self._separator = separator
        self._columns = columns

    def fields(self, line: str) -> Mapping[str, str]:
        """As the columns say; a line with another number of them was torn."""
        cells = [cell.strip() for cell in line.split(self._separator)]
        if not self._columns:
            return {str(number): cell for number, cell in enumerate(cells, 1)}
        if len(cells) != len(self._columns):
            raise BadLine("wrong_shape")
        return dict(zip(self._columns, cells, strict=True))


class Nmea:
    """Sentences of NMEA 0183 and its like: `$IIXDR,C,19.5,C,AIR*1F`. Fields are `XDR.2`: sentence and place, from 1."""

    def fields(self, line: str) -> Mapping[str, str]:
        """The fields of one sentence. Raises BadLine: checksum (a wrong one; none is allowed), bad_line."""
        found = _NMEA.match(line)
        if found is None:
            raise BadLine("bad_line")
        if found["sum"] is not None and checksum(found["body"]) != int(found["sum"], 16):
            raise BadLine("checksum")
        head, *cells = found["body"].split(",")
        return {f"{head[-3:]}.{number}": cell for number, cell in enumerate(cells, 1)}


def checksum(body: str) -> int:
    """NMEA 0183: all characters between $ and *, one by one, combined by exclusive or."""
    total = 0
    for character in body.encode("latin-1"):
        total ^= character
    return total


class Pattern:
    """A regular expression with named groups."""

    def __init__(self, pattern: str) -> None:
        self._pattern = re.compile(pattern)

    def fields(self, line: str) -> Mapping[str, str]:
        """The groups. Raises BadLine('bad_line') for a line that it does not fit."""
        found = self._pattern.search(line)
        if found is None:
            raise BadLine("bad_line")
        return {name: text for name, text in found.groupdict().items() if text is not None}
