"""RTP packets put together to access units, the encoded frames: H.264 (RFC 6184) and H.265 (RFC 7798); pure.

Both cut a frame into the same three kinds of packets: one NAL unit whole, several together, a fragment of one. What
differs is where the type stands and what the types are called: `Codec`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from modules.camera.sources.rtp.sdp import START

LARGEST_UNIT: Final = 16_000_000  # bytes; more is no frame of a camera
_HEAD: Final = 12
_TURN: Final = 1 << 32
_NONE: Final = ()
_RECOVERY: Final = 6  # the SEI message from which on a stream without IDR frames can be decoded


@dataclass(frozen=True, slots=True)
class Unit:
    """One encoded frame (Annex B). ``ticks`` is its time on the camera's clock, without the turns of RTP's 32 bits.

    ``damaged``: it, or something before it, was lost on the way; what is left is not worth decoding.
    """

    data: bytes
    ticks: int
    key: bool
    damaged: bool


@dataclass(frozen=True, slots=True)
class Codec:
    """Where the parts of a NAL unit's head stand, and which types of it are which.

    ``slices`` are pictures' parts, ``keys`` those of key frames; ``together`` and ``fragment`` exist in RTP alone.
    """

    head: int
    kind: Callable[[int], int]
    slices: frozenset[int]
    keys: frozenset[int]
    sei: int
    together: int
    fragment: int
    known: frozenset[int]


_SLICES_264, _SLICES_265 = frozenset({1, 2, 3, 4, 5}), frozenset({*range(10), *range(16, 22)})
CODECS: Final = {
    "h264": Codec(1, lambda first: first & 0x1F, _SLICES_264, frozenset({5}), 6, 24, 28, frozenset(range(1, 24))),
    "hevc": Codec(
        2, lambda first: first >> 1 & 0x3F, _SLICES_265, frozenset(range(16, 22)), -1, 48, 49, frozenset(range(48))
    ),
}


class Units:
    """Takes one stream's RTP packets in the order in which they come. What it keeps is bounded by ``LARGEST_UNIT``.

    A frame ends with the packet that is marked so, or where the time stamp changes. There are cameras that mark each
    slice: as soon as one is found out, only the time stamps count.
    """

    def __init__(self, codec: str, payload: int) -> None:
        self._codec, self._payload = CODECS[codec], payload
        self._parts: list[bytes] = []
        self._size = 0
        self._key = self._pictured = self._open = self._damaged = False
        self._marks = True
        self._next: int | None = None
        self._stamp: int | None = None
        self._ended: int | None = None  # the stamp of the frame that was given last
        self._ticks = 0
        self._begin = _HEAD + self._codec.head + 1  # of what a fragment holds, behind a head without extras
        self._plain = bytes([0x80, payload])
        self._middle = self._stamped = b""

    @property
    def kept(self) -> int:
        """Bytes of the frame that is not whole yet."""
        return self._size

    def take(self, packet: bytes) -> Sequence[Unit]:
        """The frames that this packet ends: none, one, or two. What is no RTP packet of the stream is passed over."""
        if (  # nine packets of ten are from the middle of a fragmented NAL unit: the short way for them
            packet[_HEAD : self._begin] == self._middle
            and packet[4:8] == self._stamped
            and packet[:2] == self._plain
            and packet[2] << 8 | packet[3] == self._next
            and self._size <= LARGEST_UNIT
        ):
            self._next = self._next + 1 & 0xFFFF
            part = packet[self._begin :]
            self._parts.append(part)
            self._size += len(part)
            return _NONE
        body = self._body(packet)
        if body is None:
            return _NONE
        number = packet[2] << 8 | packet[3]
        whole = self._next is None or self._next == number
        if not whole:  # of the frame at hand, or of this packet's, or all of those between
            self._lose()
        self._next = number + 1 & 0xFFFF
        stamp = int.from_bytes(packet[4:8], "big")
        done: list[Unit] = []
        if stamp != self._stamp:
            if whole:
                self._end(done)
            self._turn(stamp)
        self._add(packet, *body)
        if self._size > LARGEST_UNIT:
            self._lose()
        if packet[1] & 0x80 and self._marks:
            self._end(done)
        return done

    def _body(self, packet: bytes) -> tuple[int, int] | None:
        """Where the payload lies in a packet of ours (RFC 3550, 5.1)."""
        if len(packet) <= _HEAD or packet[0] >> 6 != 2 or packet[1] & 0x7F != self._payload:
            return None
        begin, end = _HEAD + 4 * (packet[0] & 0x0F), len(packet)
        if packet[0] & 0x10:
            begin += 4 + 4 * int.from_bytes(packet[begin + 2 : begin + 4], "big")
        if packet[0] & 0x20:
            end -= packet[-1]
        return (begin, end) if end - begin > self._codec.head else None

    def _turn(self, stamp: int) -> None:
        if self._stamp is not None:
            step = (stamp - self._stamp) % _TURN
            self._ticks += step if step < _TURN // 2 else step - _TURN
        else:
            self._ticks = stamp
        self._stamp, self._stamped = stamp, stamp.to_bytes(4, "big")

    def _add(self, packet: bytes, begin: int, end: int) -> None:
        codec = self._codec
        kind = codec.kind(packet[begin])
        if kind == codec.fragment:
            self._add_fragment(packet, begin, end)
        elif kind == codec.together:
            self._shut()
            at = begin + codec.head
            while at + 2 < end:
                size = packet[at] << 8 | packet[at + 1]
                at += 2
                if not codec.head <= size <= end - at:
                    self._damaged = True
                    return
                self._add_whole(packet[at : at + size])
                at += size
        elif kind in codec.known:
            self._shut()
            self._add_whole(packet[begin:end])
        else:
            self._damaged = True

    def _add_fragment(self, packet: bytes, begin: int, end: int) -> None:
        body = begin + self._codec.head + 1
        if body > end:
            self._damaged = True
            return
        head = packet[body - 1]
        if head & 0x80:
            if self._codec.head == 1:
                first = bytes([packet[begin] & 0xE0 | head & 0x1F])
            else:
                first = bytes([packet[begin] & 0x81 | (head & 0x3F) << 1, packet[begin + 1]])
            self._open = True
            self._middle = bytes([*packet[begin : body - 1], head & 0x3F])
            self._add_whole(first + packet[body:end])
        elif self._open:
            self._parts.append(packet[body:end])
            self._size += end - body
        else:
            self._damaged = True
        if head & 0x40:
            self._shut()

    def _add_whole(self, nal: bytes) -> None:
        """Add a NAL unit, or the first fragment of one."""
        codec = self._codec
        kind = codec.kind(nal[0])
        if kind in codec.slices:
            first = len(nal) > codec.head and nal[codec.head] & 0x80  # of the picture's slices: it begins at block 0
            if not first and not self._pictured and self._ended == self._stamp:
                self._marks = False
            self._pictured = True
            self._key = self._key or kind in codec.keys
        elif kind == codec.sei:
            self._key = self._key or _recovers(nal)
        self._parts += (START, nal)
        self._size += len(START) + len(nal)

    def _end(self, done: list[Unit]) -> None:
        """Give the frame. What holds no picture, but parameters for the next, waits for that."""
        if not self._pictured and not self._damaged:
            return
        done.append(Unit(b"".join(self._parts), self._ticks, self._key, self._damaged))
        self._parts, self._size = [], 0
        self._key = self._pictured = self._damaged = False
        self._shut()
        self._ended = self._stamp

    def _lose(self) -> None:
        """Something is missing: what is left of the frame at hand is thrown away, the next to be given is damaged."""
        self._parts, self._size = [], 0
        self._key, self._pictured, self._damaged = False, False, True
        self._shut()

    def _shut(self) -> None:
        """No fragment goes on."""
        self._open, self._middle = False, b""


def _recovers(nal: bytes) -> bool:
    """Whether this H.264 SEI says that decoding can begin here (ITU-T H.264, 7.3.2.3 and D.1.8)."""
    at = 1
    while at + 2 < len(nal):
        kind = size = 0
        while at < len(nal) and nal[at] == 0xFF:
            kind, at = kind + 255, at + 1
        if at >= len(nal):
            return False
        kind, at = kind + nal[at], at + 1
        while at < len(nal) and nal[at] == 0xFF:
            size, at = size + 255, at + 1
        if at >= len(nal):
            return False
        size, at = size + nal[at], at + 1
        if kind == _RECOVERY:
            return True
        at += size
    return False
