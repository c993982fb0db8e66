"""Serial lines, over a pseudo terminal."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from modules.sensors.lines import checksum
from modules.sensors.sources.serialline import SerialLine
from tests.modules.sensors.conftest import Live, Source
from tests.modules.sensors.parts import Wire

POINTS = [
    {"name": "dryer/temp", "address": "temp", "unit": "Cel"},
    {"name": "dryer/dew", "address": "dew", "unit": "Cel", "low": -90},
]
COLUMNS = {"form": "csv", "columns": ["id", "temp", "dew"]}


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    wire = Wire(tmp_path / "line")
    yield wire
    wire.close()


def settings(wire: Wire, **more: Any) -> dict[str, Any]:
    return {"type": "serial", "path": str(wire.path), "points": POINTS, "lines": COLUMNS} | more


def test_columns_become_readings_and_half_a_line_does_not(wire: Wire, live: Live) -> None:
    async def part(source: Source) -> None:
        running = source(settings(wire))
        await running.phase("ok")
        wire.write(b"4,99.5,-40\r\n7,61.5,-39.5\r\n7,62.")
        await running.value("dryer/dew", -39.5)
        assert [reading.value for reading in running.readings] == [61.5, -39.5]
        wire.write(b"5,-39\r\n")
        await running.value("dryer/temp", 62.5)

    live(part)


def test_nmea_sentences_are_checked(wire: Wire, live: Live) -> None:
    points = [{"name": "mast/air", "address": "XDR.2", "unit": "Cel"}]

    def sentence(text: str, total: int) -> bytes:
        return f"${text}*{total:02X}\r\n".encode()

    async def part(source: Source) -> None:
        running = source(settings(wire, points=points, lines={"form": "nmea"}))
        await running.phase("ok")
        text = "IIXDR,C,19.5,C,AIR"
        wire.write(b"\r\n" + sentence(text, checksum(text) ^ 1) + sentence(text, checksum(text)))
        await running.value("mast/air", 19.5)
        assert running.dropped == {"checksum": 1}

    live(part)


def test_a_pattern_names_its_fields(wire: Wire, live: Live) -> None:
    form = {"form": "pattern", "pattern": r"T:(?P<temp>[-\d.]+)C D:(?P<dew>[-\d.]+|---)"}

    async def part(source: Source) -> None:
        running = source(settings(wire, lines=form))
        await running.phase("ok")
        wire.write(b"\nboot ok\nT:20.5C D:---\n")
        await running.value("dryer/temp", 20.5)
        assert running.dropped == {"bad_line": 1, "wrong_type": 1}

    live(part)


def test_what_cannot_be_used_is_counted_by_reason(wire: Wire, live: Live) -> None:
    async def part(source: Source) -> None:
        running = source(settings(wire, longest=64))
        await running.phase("ok")
        wire.write(b"\n1,nan,-40\n1,2\n\xff\xfe\n" + b"9" * 500)
        await running.until(lambda: running.dropped.get("line_too_long"))
        wire.write(b"\n1,hot,-100\n1,3,-40\n")
        await running.value("dryer/temp", 3)
        assert running.dropped == {
            "nan": 1,
            "wrong_shape": 1,
            "not_text": 1,
            "line_too_long": 1,
            "wrong_type": 1,
            "out_of_range": 1,
        }

    live(part)


def test_a_line_that_is_unplugged_or_silent_is_reported_and_comes_back(wire: Wire, live: Live) -> None:
    async def part(source: Source) -> None:
        running = source(settings(wire, silence_s=0.2))
        await running.phase("silent")
        before = len(running.states)
        wire.write(b"\n1,3,-40\n")
        await running.until(lambda: "ok" in running.states[before:])  # and it is silent again, a moment later
        wire.unplug()
        await running.phase("dead")
        wire.plug()
        await running.until(lambda: running.watch.state.phase != "dead")
        before = len(running.states)
        wire.write(b"\n1,4,-40\n")
        await running.value("dryer/temp", 4)
        await running.until(lambda: running.watch.state.phase == "ok" or "ok" in running.states[before:])

    live(part)


def test_a_point_of_a_field_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"no field dew; there are: temp"):
        SerialLine.model_validate(
            {"type": "serial", "path": "/dev/x", "points": POINTS, "lines": {"form": "csv", "columns": ["temp"]}}
        )
    with pytest.raises(ValidationError, match="no named group"):
        SerialLine.model_validate({"type": "serial", "path": "/dev/x", "lines": {"form": "pattern", "pattern": "x"}})
