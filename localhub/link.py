"""What travels between hub and cloud: msgpack frames over a Unix socket, each with a u32 length before it.

The hub connects and says Hello; the cloud answers with a Sync of every twin. From then on the hub numbers what must
not be lost (telemetry, reported patches) 1, 2, 3 ... per connection, and the cloud acknowledges a number once it and
all before it are committed to disk. A connection that ends leaves the unacknowledged open: the hub sends them again on
the next one, so the cloud may keep a message twice but never misses one.
"""

import struct
from typing import Any

import msgspec

PROTOCOL = 1
MAX_FRAME = 64 * 1024 * 1024  # a full batch of the largest messages is half of it
_LENGTH = struct.Struct(">I")


class LinkError(Exception):
    """The other side does not speak this protocol; the connection is of no use any more."""


class Frame(msgspec.Struct, frozen=True, tag_field="t", array_like=True):
    """One message over the link."""


class Telemetry(msgspec.Struct, frozen=True, array_like=True):
    """One message for the cloud; system properties by their long names."""

    body: bytes
    properties: dict[str, str]
    system: dict[str, str]


class TwinState(msgspec.Struct, frozen=True, array_like=True):
    """A twin as the cloud knows it, documents as JSON; module is None for a device's own twin."""

    device: str
    module: str | None
    desired: bytes
    desired_version: int
    reported: bytes
    reported_version: int


class Hello(Frame, frozen=True, tag="hello"):
    """Up, first: who connects."""

    gateway: str
    protocol: int = PROTOCOL


class Batch(Frame, frozen=True, tag="batch"):
    """Up: messages, in the order of their queue."""

    number: int
    messages: list[Telemetry]


class Reported(Frame, frozen=True, tag="reported"):
    """Up: a patch of reported properties, and the version the hub's copy has after it."""

    number: int
    device: str
    module: str | None
    patch: bytes
    version: int


class MethodAnswer(Frame, frozen=True, tag="answer"):
    """Up: what became of a Call. `error` is set when no module answered; status is then an HTTP status."""

    call: int
    status: int
    payload: bytes
    error: str | None = None


class Ack(Frame, frozen=True, tag="ack"):
    """Down: everything up to this number is on the cloud's disk."""

    number: int


class Sync(Frame, frozen=True, tag="sync"):
    """Down, first: every twin, whole. Never later: it would cross with what the hub reports meanwhile."""

    twins: list[TwinState]


class Desired(Frame, frozen=True, tag="desired"):
    """Down: a patch of desired properties; version is that of the document after it."""

    device: str
    module: str | None
    patch: bytes
    version: int


class Call(Frame, frozen=True, tag="call"):
    """Down: invoke a direct method. Payload is JSON, or empty."""

    call: int
    device: str
    module: str | None
    name: str
    payload: bytes
    response_timeout_s: float
    connect_timeout_s: float


Up = Hello | Batch | Reported | MethodAnswer
Down = Ack | Sync | Desired | Call

_encoder = msgspec.msgpack.Encoder()
_up: msgspec.msgpack.Decoder[Up] = msgspec.msgpack.Decoder(Up)
_down: msgspec.msgpack.Decoder[Down] = msgspec.msgpack.Decoder(Down)


def encode(frame: Up | Down) -> bytes:
    """The bytes of one frame, length included."""
    payload = _encoder.encode(frame)
    return _LENGTH.pack(len(payload)) + payload


class Reassembly:
    """Cuts a stream of bytes back into frames; `feed` returns those that are whole, a torn one waits for its rest."""

    def __init__(self, decoder: msgspec.msgpack.Decoder[Any]) -> None:
        self._decoder = decoder
        self._pending = bytearray()

    def feed(self, data: bytes) -> list[Any]:
        """Take bytes off the wire; raises LinkError when they are not frames of this protocol."""
        self._pending += data
        frames = []
        start = 0
        while len(self._pending) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._pending, start)
            if length > MAX_FRAME:
                raise LinkError(f"a frame of {length} bytes is longer than {MAX_FRAME}")
            end = start + _LENGTH.size + length
            if len(self._pending) < end:
                break
            frames.append(self._decode(bytes(memoryview(self._pending)[start + _LENGTH.size : end])))
            start = end
        del self._pending[:start]
        return frames

    def _decode(self, payload: bytes) -> Any:
        try:
            return self._decoder.decode(payload)
        except msgspec.DecodeError as error:
            raise LinkError(f"a frame could not be read: {error}") from error


def from_hub() -> Reassembly:
    """Frames as the cloud receives them."""
    return Reassembly(_up)


def from_cloud() -> Reassembly:
    """Frames as the hub receives them."""
    return Reassembly(_down)
