"""Whatever is written is read back, however it is cut; what is not MQTT is refused and nothing worse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from localhub.wire import writer
from localhub.wire.packets import MAX_PACKET, Acknowledge, Connect, Publish
from localhub.wire.parser import Parser, ProtocolError, TooLarge

if TYPE_CHECKING:
    from tests.localhub.wire.conftest import Codec

shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@given(data=st.data())
@shared
def test_what_is_written_is_read_back_however_it_is_cut(codec: type[Codec], data: st.DataObject) -> None:
    sent = data.draw(st.lists(codec.packets, min_size=1, max_size=6))
    stream = b"".join(map(codec.encode, sent))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    parser = Parser()
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        parser.feed(stream[start:end])
        while (packet := parser.next()) is not None:
            found.append(packet)
    assert found == sent


def test_byte_by_byte(codec: type[Codec]) -> None:
    stream = writer.publish(b"a/b", bytes(300), 1, 7) + writer.PINGREQ
    parser = Parser()
    found = []
    for index in range(len(stream)):
        parser.feed(stream[index : index + 1])
        while (packet := parser.next()) is not None:
            found.append(packet)
    assert found == codec.decode(stream)
    assert len(found) == 2


@given(data=st.binary(max_size=200))
@example(data=b"\x30\x00")
@example(data=b"\x10\x02\x00\x04")
@example(data=b"\x32\x03\x00\x05a")
@shared
def test_noise_is_refused_and_nothing_worse(codec: type[Codec], data: bytes) -> None:
    try:
        codec.decode(data)
    except ProtocolError:
        return


@given(data=st.data())
@shared
def test_damaged_packets_are_refused_and_nothing_worse(codec: type[Codec], data: st.DataObject) -> None:
    stream = bytearray(codec.encode(data.draw(codec.packets)))
    for index in data.draw(st.lists(st.integers(0, len(stream) - 1), min_size=1, max_size=3)):
        stream[index] = data.draw(st.integers(0, 255))
    try:
        codec.decode(bytes(stream))
    except ProtocolError:
        return


@pytest.mark.parametrize("over", [0, 1])
def test_the_limit_counts_the_whole_packet(over: int) -> None:
    head = len(writer.publish(b"t", bytes(200_000), 1, 1)) - 200_000
    whole = writer.publish(b"t", bytes(MAX_PACKET - head + over), 1, 1)
    parser = Parser()
    parser.feed(whole[:10])  # the header is enough to refuse it
    if over:
        with pytest.raises(TooLarge) as caught:
            parser.next()
        assert caught.value.size == MAX_PACKET + 1
    else:
        assert parser.next() is None
        parser.feed(whole[10:])
        assert isinstance(parser.next(), Publish)


def test_what_waits_is_bounded() -> None:
    parser = Parser(1000)
    parser.feed(b"\x30\xff\xff\xff")
    assert parser.next() is None
    parser.feed(b"\x7f" + bytes(2000))
    with pytest.raises(TooLarge):
        parser.next()


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x00",  # no such packet
        b"\xf0\x00",
        b"\x36\x04\x00\x01a\x00",  # QoS 3
        b"\x32\x05\x00\x01a\x00\x00",  # packet id 0
        b"\x30\x03\x00\x01#",  # a filter is no topic
        b"\x30\x04\x00\x02\xc3\x28",  # not UTF-8
        b"\x30\x03\x00\x01\x00",  # U+0000
        b"\x40\x02\x00\x00",
        b"\x41\x02\x00\x01",  # flags that are reserved
        b"\x80\x05\x00\x01\x00\x00\x00",
        b"\x82\x02\x00\x01",  # no filter
        b"\x82\x06\x00\x01\x00\x01a\x03",
        b"\xc0\x01\x00",
        b"\x30\xff\xff\xff\xff\x01",  # a length of five bytes
    ],
    ids=lambda data: data.hex(),
)
def test_these_are_refused(codec: type[Codec], data: bytes) -> None:
    with pytest.raises(ProtocolError):
        codec.decode(data)


def test_mqtt_3_1_is_understood_well_enough_to_refuse_it(codec: type[Codec]) -> None:
    (packet,) = codec.decode(writer.connect(Connect("gw1/a", level=3)))
    assert isinstance(packet, Connect)
    assert packet.level == 3


def test_a_flood_of_small_packets(codec: type[Codec]) -> None:
    stream = b"".join(writer.puback(number) for number in range(1, 10_001))
    assert codec.decode(stream) == [Acknowledge(4, number) for number in range(1, 10_001)]
