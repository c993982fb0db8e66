"""Readings and blocks as messages (docs/formats/messages.md): batches in SenML or packed, a message per block. Pure."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, Literal

from modules.common.messages import (
    MAX_PACKET,
    PACKED,
    SENML,
    BadMessage,
    Message,
    Reading,
    Waveform,
    new_id,
    packed,
    senml,
)
from modules.sensors.intake import Block

Format = Literal["senml", "packed"]

_MOST: Final = 1000  # readings in a message; about 60 bytes each in SenML
_OUTPUT: Final = "readings"


def batches(
    readings: Sequence[Reading], source: str, number: Callable[[str], int], form: Format = "senml"
) -> Iterator[Message]:
    """Messages with `readings`, in order; `number` gives the next sequence number of a source."""
    for start in range(0, len(readings), _MOST):
        yield from _whole(readings[start : start + _MOST], source, number, form)


def _whole(readings: Sequence[Reading], source: str, number: Callable[[str], int], form: Format) -> Iterator[Message]:
    """One message, or more where names are so long that one would not hold them."""
    body, content_type = _body(readings, form)
    if len(body) > MAX_PACKET - 4096:  # room for topic and properties
        middle = len(readings) // 2
        yield from _whole(readings[:middle], source, number, form)
        yield from _whole(readings[middle:], source, number, form)
        return
    yield Message(
        body=body,
        kind="readings",
        source=source,
        seq=number(source),
        time=datetime.fromtimestamp(readings[0].time, UTC),
        message_id=new_id(),
        content_type=content_type,
    )


def _body(readings: Sequence[Reading], form: Format) -> tuple[bytes, str]:
    if form == "packed":
        try:
            return packed.encode(readings), PACKED
        except BadMessage:  # readings of different hours, or more units than it holds: SenML says them too
            pass
    return senml.encode(readings), SENML


def waveform(block: Block, number: Callable[[str], int]) -> Message:
    """The message with `block`."""
    return Waveform(
        samples=block.samples,
        rate_hz=block.rate_hz,
        unit=block.unit,
        time=datetime.fromtimestamp(block.time, UTC),
        source=block.name,
        seq=number(f"waveforms of {block.name}"),
    ).message()
