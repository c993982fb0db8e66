"""Inputs out of others: a seeded mutator that knows where the packets of a stream begin."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

LONGEST = 12_000
BYTES = (0, 1, 2, 3, 4, 0x10, 0x20, 0x23, 0x2B, 0x30, 0x32, 0x34, 0x40, 0x7F, 0x80, 0x82, 0xC0, 0xE0, 0xFF)
WORDS = (b"%24.on=", b"&", b"=", b"%", b"/", b"#", b"+", b"\0", b"$iothub/", b"\xc3\x28", b"devices/gw1/modules/alpha/")


def packets(stream: bytes) -> list[bytes]:
    """A stream cut where packets end, as far as that can be told."""
    found, at = [], 0
    while at < len(stream):
        length, shift, body = 0, 0, at + 1
        while body < len(stream):
            length |= (stream[body] & 0x7F) << shift
            shift += 7
            body += 1
            if not stream[body - 1] & 0x80 or shift > 21:
                break
        end = max(body + length, at + 1)
        found.append(stream[at:end])
        at = end
    return found


def mutate(stream: bytes, others: Sequence[bytes], dice: random.Random) -> bytes:
    """A stream like this one."""
    for _ in range(dice.choice((1, 1, 2, 4))):
        change = dice.choice(CHANGES)
        stream = change(stream, others, dice)[:LONGEST]
    return stream


def _in_a_packet(stream: bytes, _others: Sequence[bytes], dice: random.Random) -> bytes:
    """A byte is another: near a packet's beginning more often than not."""
    parts = packets(stream) or [b"\0"]
    index = dice.randrange(len(parts))
    part = bytearray(parts[index])
    at = min(int(dice.expovariate(0.2)), len(part) - 1) if dice.random() < 0.7 else dice.randrange(len(part))
    part[at] = dice.choice(BYTES) if dice.random() < 0.5 else dice.randrange(256)
    return b"".join([*parts[:index], bytes(part), *parts[index + 1 :]])


def _other_order(stream: bytes, others: Sequence[bytes], dice: random.Random) -> bytes:
    """Packets are doubled, left out, mixed with those of another stream."""
    parts = packets(stream) + packets(dice.choice(others))
    return b"".join(dice.choices(parts, k=dice.randrange(1, 2 + len(parts))))


def _cut(stream: bytes, _others: Sequence[bytes], dice: random.Random) -> bytes:
    """It ends in the middle."""
    return stream[: dice.randrange(len(stream) + 1)]


def _word(stream: bytes, _others: Sequence[bytes], dice: random.Random) -> bytes:
    """Something that means something stands where it did not."""
    at = dice.randrange(len(stream) + 1)
    return stream[:at] + dice.choice(WORDS) + stream[at + dice.randrange(4) :]


def _flood(stream: bytes, _others: Sequence[bytes], dice: random.Random) -> bytes:
    """One packet many times."""
    parts = packets(stream) or [b"\xc0\0"]
    return dice.choice(parts) * dice.randrange(2, 60)


CHANGES: tuple[Callable[[bytes, Sequence[bytes], random.Random], bytes], ...] = (
    _in_a_packet,
    _in_a_packet,
    _in_a_packet,
    _other_order,
    _cut,
    _word,
    _flood,
)
