"""Readings as messages: all of them, in order, none too large."""

from itertools import count
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.common.messages import MAX_PACKET, PACKED, SENML, Message, Reading, Waveform, packed, senml
from modules.sensors.intake import Block
from modules.sensors.outgoing import batches, waveform

NOW = 1_700_000_000.0


def told(message: Message) -> list[tuple[str, float]]:
    batch = packed.decode(message.body) if message.content_type == PACKED else senml.decode(message.body)
    return list(zip(batch.names, batch.values, strict=True))


@given(st.lists(st.tuples(st.text("abc/", min_size=1, max_size=200), st.integers(-5000, 5000)), max_size=1500))
@pytest.mark.parametrize("form", ["senml", "packed"])
def test_every_reading_is_in_a_message_that_fits(
    form: Literal["senml", "packed"], readings: list[tuple[str, int]]
) -> None:
    numbers = count()
    records = [Reading(name, value, NOW + value) for name, value in readings]
    messages = list(batches(records, "sensors/x", lambda _source: next(numbers), form))
    assert [each for message in messages for each in told(message)] == [(r.name, r.value) for r in records]
    assert [message.seq for message in messages] == list(range(len(messages)))
    for message in messages:
        assert message.packet_size("readings") <= MAX_PACKET
        assert (message.kind, message.source) == ("readings", "sensors/x")


def test_names_so_long_that_a_message_would_burst_are_parted() -> None:
    numbers = count()
    unit = "a/unit/of/more/than/thirty/bytes"
    records = [Reading(f"{n:04}{'x' * 190}", 1 / 3, NOW + n / 7, f"{unit}{n % 2}") for n in range(1000)]
    messages = list(batches(records, "s", lambda _source: next(numbers), "senml"))
    assert len(messages) > 1
    assert sum(len(told(message)) for message in messages) == 1000


def test_readings_hours_apart_are_sent_though_they_cannot_be_packed() -> None:
    records = [Reading("a", 1.0, NOW), Reading("a", 2.0, NOW + 3000)]
    (message,) = batches(records, "s", lambda _source: 0, "packed")
    assert message.content_type == SENML


def test_a_block_is_the_waveform_of_its_point() -> None:
    block = Block("fan/bearing", "m/s2", 1000.0, bytes(400), NOW)
    wave = Waveform.of(waveform(block, lambda _source: 7))
    assert (wave.source, wave.unit, wave.rate_hz, wave.count, wave.seq) == ("fan/bearing", "m/s2", 1000.0, 100, 7)
    assert wave.time.timestamp() == NOW
