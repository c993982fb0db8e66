"""As much of MQTT 3.1.1 as a device needs that only sends: CONNECT, PUBLISH with QoS 1, PINGREQ, DISCONNECT.

`umqtt.simple` waits for a PUBACK without end, cannot mark a repeat, and takes the length that a broken broker names
for true; so this is its own. What the hub says is read into 128 bytes; all it can have to say fits.
"""

from .quoting import Buffer

HEADER = 5  # bytes before a packet's body at most: the type, and four of length
_CONNACK, _PUBACK, _PINGRESP = 0x20, 0x40, 0xD0
_LONGEST = 128
_LATE_PUBACKS = 8  # acknowledgements of other packets that are passed over before the hub is given up
_WHY = {
    1: "the hub does not speak MQTT 3.1.1",
    2: "the hub does not take this device id as a client",
    3: "the hub is not ready, or the user name is malformed",
    4: "the user name or token is malformed",
    5: "not authorised: is the key this device's, are HostName and DeviceId right, is the gateway its parent?",
}


class MqttError(Exception):
    """The other end does not speak as a hub should, or refuses; the text says what to look at."""


def connect(out: Buffer, device: str, user: str, password: str, keepalive_s: int) -> None:
    """CONNECT with clean session 0, so that a PUBLISH may be repeated (3.1)."""
    body = Buffer(bytearray(_length(device) + _length(user) + _length(password) + 10))
    body.put(b"\x00\x04MQTT\x04\xc0" + keepalive_s.to_bytes(2, "big"))
    for text in (device, user, password):
        _text(body, text)
    out.put(b"\x10")
    _remaining(out, body.end)
    out.put(body.memory)


def publish(memory: bytearray, end: int, *, again: bool) -> int:
    """Put the fixed header of a PUBLISH (QoS 1) before what lies from HEADER to ``end``; where the packet begins."""
    length = end - HEADER
    head = Buffer(bytearray(HEADER))
    head.put(b"\x3a" if again else b"\x32")
    _remaining(head, length)
    start = HEADER - head.end
    memory[start:HEADER] = memoryview(head.memory)[: head.end]
    return start


class Client:
    """A connection through a TLS stream with `write` and `readinto`. OSError when it breaks, MqttError as above."""

    def __init__(self, stream: object) -> None:
        """Nothing is said yet."""
        self._stream = stream
        self._packet = bytearray(_LONGEST)

    def connect(self, packet: bytes) -> None:
        """Send a CONNECT and wait until the hub accepts it."""
        self._write(packet)
        kind, length = self._read()
        if kind != _CONNACK or length != 2:
            raise MqttError("no MQTT hub answers there: its first packet is 0x%02x of %d bytes" % (kind, length))
        if code := self._packet[1]:
            raise MqttError("the hub refused the connection (code %d): %s" % (code, _WHY.get(code, "unknown")))

    def publish(self, packet: bytes, packet_id: int) -> None:
        """Send a PUBLISH and wait for its PUBACK."""
        self._write(packet)
        for _ in range(_LATE_PUBACKS):
            kind, length = self._read()
            if kind == _PUBACK and length == 2:
                if int.from_bytes(self._packet[:2], "big") == packet_id:
                    return
            elif kind != _PINGRESP or length:
                raise MqttError("the hub sent 0x%02x of %d bytes instead of a PUBACK" % (kind, length))
        raise MqttError("the hub acknowledges other messages than the one sent")

    def ping(self) -> None:
        """Send a PINGREQ and wait for the answer."""
        self._write(b"\xc0\x00")
        kind, length = self._read()
        if kind != _PINGRESP or length:
            raise MqttError("the hub sent 0x%02x of %d bytes instead of a PINGRESP" % (kind, length))

    def disconnect(self) -> None:
        """Say goodbye."""
        self._write(b"\xe0\x00")

    def _write(self, packet: bytes) -> None:
        view = memoryview(packet)
        while view:
            written = self._stream.write(view)
            if not written:
                raise OSError("the connection takes no more bytes")
            view = view[written:]

    def _read(self) -> tuple[int, int]:
        kind = self._byte()
        length = shift = 0
        while True:
            byte = self._byte()
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
            if shift > 21:
                raise MqttError("a packet's length has more than four bytes")
        if length > _LONGEST:
            raise MqttError("a packet 0x%02x of %d bytes: this is not what a hub says to a device" % (kind, length))
        if length:
            self._exactly(length)
        return kind, length

    def _byte(self) -> int:
        self._exactly(1)
        return self._packet[0]

    def _exactly(self, count: int) -> None:
        view = memoryview(self._packet)
        at = 0
        while at < count:
            got = self._stream.readinto(view[at:count])
            if not got:
                raise OSError("the hub closed the connection")
            at += got


def _length(text: str) -> int:
    return 2 + len(text.encode())


def _text(out: Buffer, text: str) -> None:
    data = text.encode()
    out.put(len(data).to_bytes(2, "big"))
    out.put(data)


def _remaining(out: Buffer, length: int) -> None:
    while True:
        length, low = length >> 7, length & 0x7F
        out.put(bytes((low | 0x80 if length else low,)))
        if not length:
            return
