"""Packets to bytes, for both ends: what the hub sends, and what a raw client in a test or benchmark sends."""

from collections.abc import Iterable
from struct import Struct

from localhub.wire import packets
from localhub.wire.packets import Connect

PINGREQ = bytes((packets.PINGREQ << 4, 0))
PINGRESP = bytes((packets.PINGRESP << 4, 0))
DISCONNECT = bytes((packets.DISCONNECT << 4, 0))

_NUMBER = Struct(">H").pack
_ACKNOWLEDGE = Struct(">BBH").pack
_MIDDLING = Struct(">BBBH").pack


def publish(
    topic: bytes, payload: bytes, qos: int = 0, packet_id: int = 0, *, dup: bool = False, retain: bool = False
) -> bytes:
    """PUBLISH; the topic is UTF-8 already, since one that is sent often is encoded once."""
    first = packets.PUBLISH << 4 | dup << 3 | qos << 1 | retain
    if not qos:
        return b"".join((_header(first, 2 + len(topic) + len(payload)), _NUMBER(len(topic)), topic, payload))
    length = 4 + len(topic) + len(payload)
    if 128 <= length < 16_384:  # most of them
        header = _MIDDLING(first, length & 0x7F | 0x80, length >> 7, len(topic))
    else:
        header = _header(first, length) + _NUMBER(len(topic))
    return b"".join((header, topic, _NUMBER(packet_id), payload))


def puback(packet_id: int) -> bytes:
    """PUBACK."""
    return _ACKNOWLEDGE(packets.PUBACK << 4, 2, packet_id)


def acknowledge(kind: int, packet_id: int) -> bytes:
    """Any of the packets that carry a packet id and nothing else."""
    return _ACKNOWLEDGE(kind << 4 | (2 if kind == packets.PUBREL else 0), 2, packet_id)


def connack(code: int, *, session_present: bool = False) -> bytes:
    """CONNACK."""
    return bytes((packets.CONNACK << 4, 2, session_present, code))


def suback(packet_id: int, codes: bytes) -> bytes:
    """SUBACK with one byte a filter."""
    return _header(packets.SUBACK << 4, 2 + len(codes)) + _NUMBER(packet_id) + codes


def subscribe(packet_id: int, filters: Iterable[tuple[str, int]]) -> bytes:
    """SUBSCRIBE to filters, each with a QoS."""
    body = _NUMBER(packet_id) + b"".join(_text(topic) + bytes((qos,)) for topic, qos in filters)
    return _header(packets.SUBSCRIBE << 4 | 2, len(body)) + body


def unsubscribe(packet_id: int, filters: Iterable[str]) -> bytes:
    """UNSUBSCRIBE from filters."""
    body = _NUMBER(packet_id) + b"".join(map(_text, filters))
    return _header(packets.UNSUBSCRIBE << 4 | 2, len(body)) + body


def connect(packet: Connect) -> bytes:
    """CONNECT; level 3 is written with MQTT 3.1's name."""
    will, named, secret = packet.will_topic is not None, packet.username is not None, packet.password is not None
    flags = packet.clean_session << 1 | will << 2 | packet.will_qos << 3 | packet.will_retain << 5
    flags |= secret << 6 | named << 7
    body = [
        _text("MQIsdp" if packet.level == 3 else "MQTT"),
        bytes((packet.level, flags)),
        _NUMBER(packet.keep_alive),
        _text(packet.client_id),
    ]
    if packet.will_topic is not None:
        body += (_text(packet.will_topic), _blob(packet.will_payload))
    if packet.username is not None:
        body.append(_text(packet.username))
    if packet.password is not None:
        body.append(_blob(packet.password))
    whole = b"".join(body)
    return _header(packets.CONNECT << 4, len(whole)) + whole


def _header(first: int, length: int) -> bytes:
    if length < 128:
        return bytes((first, length))
    if length < 16_384:
        return bytes((first, length & 0x7F | 0x80, length >> 7))
    if length < 2_097_152:
        return bytes((first, length & 0x7F | 0x80, length >> 7 & 0x7F | 0x80, length >> 14))
    return bytes((first, length & 0x7F | 0x80, length >> 7 & 0x7F | 0x80, length >> 14 & 0x7F | 0x80, length >> 21))


def _text(text: str) -> bytes:
    return _blob(text.encode())


def _blob(data: bytes) -> bytes:
    return _NUMBER(len(data)) + data
