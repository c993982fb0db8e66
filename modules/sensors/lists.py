"""Points from a file, for lists too long for a twin: CSV by columns or JSON, checked line by line.

CSV (RFC 4180): the first line names the columns, `name`, `address` and any other fields of the source's points; an
empty cell leaves the field's default. JSON: an array of objects with the same fields, or one object on each line.
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from modules.common.listed import ListFile
from modules.common.settings import SettingsError
from modules.sensors.point import Point


def load(folder: Path, wanted: ListFile, kind: type[Point]) -> tuple[Point, ...]:
    """The points of the list `wanted`. Raises SettingsError that names the file, and the line where one is wrong."""
    text = wanted.text(folder)
    try:
        return parse(text, kind)
    except SettingsError as error:
        raise SettingsError(f"{wanted.file}: {error}") from error


def parse(text: str, kind: type[Point]) -> tuple[Point, ...]:
    """The list's points; SettingsError with the number of the line that is wrong."""
    objects = _json(text) if text.lstrip()[:1] in ("[", "{") else _csv(text, kind)
    points, lines = [], dict[str, int]()
    for line, fields in objects:
        try:
            point = kind.model_validate(fields)
        except ValidationError as error:
            raise SettingsError(f"line {line}: {told(error)}") from error
        if point.name in lines:
            raise SettingsError(f"line {line}: {point.name} again, first on line {lines[point.name]}")
        lines[point.name] = line
        points.append(point)
    return tuple(points)


def told(error: ValidationError) -> str:
    """The first thing that is wrong, in words."""
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg']}" if place else first["msg"]


def _csv(text: str, kind: type[Point]) -> Iterator[tuple[int, dict[str, Any]]]:
    lines = csv.reader(io.StringIO(text), strict=True)
    try:
        head = next(lines, [])
        if not {"name", "address"} <= set(head) <= kind.model_fields.keys() or len(set(head)) != len(head):
            others = ", ".join(sorted(kind.model_fields.keys() - {"name", "address"}))
            raise SettingsError(f"line 1: the columns are name, address and any of {others}, each once")
        for cells in lines:
            if not cells:
                continue
            if len(cells) != len(head):
                raise SettingsError(f"line {lines.line_num}: {len(cells)} cells, the first line has {len(head)}")
            yield lines.line_num, {name: cell for name, cell in zip(head, cells, strict=True) if cell}
    except csv.Error as error:
        raise SettingsError(f"line {lines.line_num}: {error}") from error


def _json(text: str) -> Iterator[tuple[int, object]]:
    """Each object with the line it begins on."""
    decoder = json.JSONDecoder()
    array = text.lstrip()[0] == "["
    place = text.index("[") + 1 if array else 0
    line, counted = 1, 0
    while (place := _skip(text, place)) < len(text) and not (array and text[place] == "]"):
        line, counted = line + text.count("\n", counted, place), place
        try:
            value, place = decoder.raw_decode(text, place)
        except json.JSONDecodeError as error:
            raise SettingsError(f"line {error.lineno}: {error.msg}") from error
        yield line, value
    if array and not text[place:].startswith("]"):
        raise SettingsError(f"line {line}: the array has no end")


def _skip(text: str, place: int) -> int:
    while place < len(text) and text[place] in " \t\r\n,":
        place += 1
    return place


def unique(points: Sequence[Point]) -> Sequence[Point]:
    """The same points. Raises SettingsError when two have one name."""
    seen: set[str] = set()
    for point in points:
        if point.name in seen:
            raise SettingsError(f"point {point.name} is there twice")
        seen.add(point.name)
    return points
