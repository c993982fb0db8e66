"""Packets made up by hypothesis, for both directions."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from localhub.wire import packets, writer
from localhub.wire.packets import Acknowledge, Bare, Connack, Connect, Packet, Publish, Suback, Subscribe, Unsubscribe
from localhub.wire.parser import Parser

_text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
_name = st.text(st.characters(exclude_characters="\0#+", exclude_categories=["Cs"]), min_size=1, max_size=60)
_id = st.integers(1, 65_535)
_qos = st.integers(0, 2)


@st.composite
def _connects(draw: st.DrawFn) -> Connect:
    username = draw(st.none() | _text)
    will = draw(st.none() | _name)
    return Connect(
        draw(_text),
        draw(st.sampled_from([3, 4])),
        draw(st.booleans()),
        draw(st.integers(0, 65_535)),
        username,
        None if username is None else draw(st.none() | st.binary(max_size=300)),
        will,
        b"" if will is None else draw(st.binary(max_size=50)),
        0 if will is None else draw(_qos),
        False if will is None else draw(st.booleans()),
    )


@st.composite
def _publishes(draw: st.DrawFn) -> Publish:
    qos = draw(_qos)
    payload = draw(st.binary(max_size=400))
    return Publish(draw(_name), payload, qos, draw(_id) if qos else 0, draw(st.booleans()), draw(st.booleans()))


_kinds = st.sampled_from([packets.PUBACK, packets.PUBREC, packets.PUBREL, packets.PUBCOMP, packets.UNSUBACK])
PACKETS: st.SearchStrategy[Packet] = st.one_of(
    _connects(),
    _publishes(),
    st.builds(Connack, st.integers(0, 5), st.booleans()),
    st.builds(Acknowledge, _kinds, _id),
    st.builds(Subscribe, _id, st.lists(st.tuples(_name, _qos), min_size=1, max_size=5).map(tuple)),
    st.builds(Suback, _id, st.binary(min_size=1, max_size=5)),
    st.builds(Unsubscribe, _id, st.lists(_name, min_size=1, max_size=5).map(tuple)),
    st.builds(Bare, st.sampled_from([packets.PINGREQ, packets.PINGRESP, packets.DISCONNECT])),
)


def encode(packet: Packet) -> bytes:
    """The bytes of any packet."""
    match packet:
        case Connect():
            return writer.connect(packet)
        case Publish():
            return writer.publish(
                packet.topic.encode(),
                packet.payload,
                packet.qos,
                packet.packet_id,
                dup=packet.dup,
                retain=packet.retain,
            )
        case Connack():
            return writer.connack(packet.code, session_present=packet.session_present)
        case Acknowledge():
            return writer.acknowledge(packet.kind, packet.packet_id)
        case Subscribe():
            return writer.subscribe(packet.packet_id, packet.filters)
        case Suback():
            return writer.suback(packet.packet_id, packet.codes)
        case Unsubscribe():
            return writer.unsubscribe(packet.packet_id, packet.filters)
        case Bare():
            return bytes((packet.kind << 4, 0))


def decode(data: bytes, limit: int = packets.MAX_PACKET) -> list[Packet]:
    """All whole packets in some bytes."""
    parser = Parser(limit)
    parser.feed(data)
    found = []
    while (packet := parser.next()) is not None:
        found.append(packet)
    return found


class Codec:
    """The functions above, for tests in other folders: they cannot import this file."""

    packets = PACKETS
    encode = staticmethod(encode)
    decode = staticmethod(decode)


@pytest.fixture(scope="session")
def codec() -> type[Codec]:
    """Both directions of the codec."""
    return Codec
