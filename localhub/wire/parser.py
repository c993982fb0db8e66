"""Bytes in, packets out: an incremental parser that trusts nothing it reads."""

from localhub.wire import packets
from localhub.wire.packets import (
    MAX_PACKET,
    Acknowledge,
    Bare,
    Connack,
    Connect,
    Packet,
    Publish,
    Suback,
    Subscribe,
    Unsubscribe,
)

MAX_FIXED_HEADER = 5  # one byte of type and flags, at most four of length
_FLAGGED = (packets.SUBSCRIBE, packets.UNSUBSCRIBE, packets.PUBREL)  # their flags are 2, those of others 0
_BEGINNINGS = bytes(
    kind == packets.PUBLISH or (kind in packets.NAMES and flags == (2 if kind in _FLAGGED else 0))
    for kind in range(16)
    for flags in range(16)
)
_PUBACK = packets.PUBACK << 4
_PROTOCOLS = {"MQTT": 4, "MQIsdp": 3}


class ProtocolError(Exception):
    """The peer broke MQTT 3.1.1; nothing it sends afterwards can be understood, so the connection must be closed."""


class TooLarge(ProtocolError):
    """A packet is longer than the limit; `size` is its whole length in bytes."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"a packet of {size} bytes is over the limit of {limit}")
        self.size = size


class Parser:
    """Feed it what the socket gave, then take packets with `next` until it answers None.

    At most one packet of `limit` bytes and the last chunk fed are held in memory.
    """

    def __init__(self, limit: int = MAX_PACKET) -> None:
        self._limit = limit
        self._data = b""
        self._at = 0
        self._partial = bytearray()
        self._needed = 0

    def feed(self, data: bytes) -> None:
        """Add bytes as they arrived."""
        if self._partial:
            self._partial += data
            if len(self._partial) < self._needed:
                return
            data = bytes(self._partial)
            self._partial.clear()
        self._data = self._data[self._at :] + data if self._at < len(self._data) else data
        self._at = 0

    def next(self) -> Packet | None:
        """The next whole packet, or None until more is fed. Raises ProtocolError, after which it must not be used."""
        data, at = self._data, self._at
        available = len(data) - at
        if not available:
            return None
        if available < 2:
            self._wait(2)
            return None
        first = data[at]
        if not _BEGINNINGS[first]:
            raise ProtocolError(f"no packet begins with the byte {first:#04x}")
        length = data[at + 1]
        body = at + 2
        if length & 0x80:
            length &= 0x7F
            shift = 7
            while True:
                if body == len(data):
                    self._wait(available + 1)
                    return None
                byte = data[body]
                body += 1
                length |= (byte & 0x7F) << shift
                if not byte & 0x80:
                    break
                shift += 7
                if shift > 21:
                    raise ProtocolError("a packet's length takes more than four bytes")
        end = body + length
        if end - at > self._limit:
            raise TooLarge(end - at, self._limit)
        if end > len(data):
            self._wait(end - at)
            return None
        self._at = end
        if first >> 4 == packets.PUBLISH:
            return _publish(first & 0x0F, data, body, end)
        if first == _PUBACK and length == 2:
            packet_id = data[body] << 8 | data[body + 1]
            if packet_id:
                return Acknowledge(packets.PUBACK, packet_id)
        return _decode(first, data[body:end])

    def _wait(self, needed: int) -> None:
        if self._at < len(self._data):
            self._partial += self._data[self._at :]
        self._data, self._at, self._needed = b"", 0, needed


def _publish(flags: int, data: bytes, at: int, end: int) -> Publish:
    qos = (flags >> 1) & 3
    if qos == 3:
        raise ProtocolError("PUBLISH with QoS 3")
    if end - at < 2:
        raise ProtocolError("PUBLISH without a topic")
    start = at + 2
    at = start + (data[at] << 8 | data[at + 1])
    payload = at + 2 if qos else at
    if payload > end:
        raise ProtocolError("PUBLISH ends within its header")
    topic = _text(data[start:at])
    if not topic or "#" in topic or "+" in topic:
        raise ProtocolError("PUBLISH to an empty topic or to a filter")
    packet_id = 0
    if qos:
        packet_id = data[at] << 8 | data[at + 1]
        if not packet_id:
            raise ProtocolError("PUBLISH with packet id 0")
    return Publish(topic, data[payload:end], qos, packet_id, bool(flags & 8), bool(flags & 1))


def _decode(first: int, body: bytes) -> Packet:
    kind = first >> 4
    reader = _Reader(body, packets.NAMES[kind])
    packet: Packet
    match kind:
        case packets.CONNECT:
            packet = _connect(reader)
        case packets.CONNACK:
            acknowledge = reader.byte()
            if acknowledge > 1:
                raise ProtocolError("CONNACK with reserved flags")
            packet = Connack(reader.byte(), bool(acknowledge))
        case packets.SUBSCRIBE:
            packet = _subscribe(reader)
        case packets.UNSUBSCRIBE:
            packet = _unsubscribe(reader)
        case packets.SUBACK:
            packet = Suback(reader.packet_id(), reader.rest())
        case packets.PINGREQ | packets.PINGRESP | packets.DISCONNECT:
            packet = Bare(kind)
        case _:
            packet = Acknowledge(kind, reader.packet_id())
    reader.finish()
    return packet


def _connect(reader: "_Reader") -> Connect:
    name = reader.text()
    level = reader.byte()
    if name not in _PROTOCOLS:
        raise ProtocolError(f"CONNECT for the protocol {name!r}, which is not MQTT")
    flags = reader.byte()
    will, will_qos, will_retain = flags & 4, (flags >> 3) & 3, bool(flags & 0x20)
    if flags & 1 or will_qos == 3 or (not will and (will_qos or will_retain)):
        raise ProtocolError("CONNECT with reserved flags")
    if flags & 0x40 and not flags & 0x80:
        raise ProtocolError("CONNECT with a password and no user name")
    keep_alive = reader.number()
    client_id = reader.text()
    will_topic = reader.text() if will else None
    will_payload = reader.blob() if will else b""
    username = reader.text() if flags & 0x80 else None
    password = reader.blob() if flags & 0x40 else None
    if level == _PROTOCOLS["MQTT"] and name == "MQIsdp":
        level = _PROTOCOLS["MQIsdp"]
    return Connect(
        client_id,
        level,
        bool(flags & 2),
        keep_alive,
        username,
        password,
        will_topic,
        will_payload,
        will_qos,
        will_retain,
    )


def _subscribe(reader: "_Reader") -> Subscribe:
    packet_id = reader.packet_id()
    filters = []
    while reader.more():
        topic_filter, qos = reader.text(), reader.byte()
        if qos > 2 or not topic_filter:
            raise ProtocolError("SUBSCRIBE with an empty filter or a QoS over 2")
        filters.append((topic_filter, qos))
    if not filters:
        raise ProtocolError("SUBSCRIBE without a filter")
    return Subscribe(packet_id, tuple(filters))


def _unsubscribe(reader: "_Reader") -> Unsubscribe:
    packet_id = reader.packet_id()
    filters = []
    while reader.more():
        filters.append(reader.text())
    if not filters:
        raise ProtocolError("UNSUBSCRIBE without a filter")
    return Unsubscribe(packet_id, tuple(filters))


class _Reader:
    """Walks through a packet's body; every step past its end is a ProtocolError."""

    def __init__(self, body: bytes, name: str) -> None:
        self._body = body
        self._name = name
        self._at = 0

    def more(self) -> bool:
        return self._at < len(self._body)

    def take(self, count: int) -> bytes:
        start, self._at = self._at, self._at + count
        if self._at > len(self._body):
            raise ProtocolError(f"{self._name} ends too early")
        return self._body[start : self._at]

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def packet_id(self) -> int:
        number = self.number()
        if not number:
            raise ProtocolError(f"{self._name} with packet id 0")
        return number

    def blob(self) -> bytes:
        return self.take(self.number())

    def text(self) -> str:
        return _text(self.blob())

    def rest(self) -> bytes:
        return self.take(len(self._body) - self._at)

    def finish(self) -> None:
        if self.more():
            raise ProtocolError(f"{self._name} is longer than its fields")


def _text(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ProtocolError("a text is not UTF-8") from error
    if "\0" in text:
        raise ProtocolError("a text holds the character U+0000")
    return text
