"""Encoded frames cut into RTP packets in every way that RFC 6184 and RFC 7798 allow a camera."""

import random
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import av

PAYLOAD = 96


def nals(unit: bytes) -> list[bytes]:
    """The NAL units of an Annex B unit."""
    return [each.rstrip(b"\0") for each in re.split(rb"\x00\x00\x00?\x01", unit) if each]


def rtp(body: bytes, number: int, stamp: int, *, last: bool, head: int = 0x80, payload: int = PAYLOAD) -> bytes:
    """One packet."""
    first = bytes([head, payload | (0x80 if last else 0)])
    return first + (number & 0xFFFF).to_bytes(2, "big") + (stamp & 0xFFFFFFFF).to_bytes(4, "big") + b"ssrc" + body


def bodies(codec: str, unit: Sequence[bytes], draw: random.Random) -> Iterable[bytes]:
    """The NAL units of one frame whole, together or in fragments, as drawn."""
    head, together, fragment = (1, 24, 28) if codec == "h264" else (2, 48, 49)
    at = 0
    while at < len(unit):
        nal, way = unit[at], draw.choice(["whole", "together", "fragments"])
        if way == "together":
            some = unit[at : at + draw.randint(1, 3)]
            kind = bytes([together | nal[0] & 0x60]) if head == 1 else bytes([together << 1, nal[1]])
            yield kind + b"".join(len(each).to_bytes(2, "big") + each for each in some)
            at += len(some)
            continue
        at += 1
        if way == "whole" or len(nal) < head + 2:
            yield nal
            continue
        size, rest = draw.randint(1, max(2, len(nal) // 2)), nal[head:]
        parts = [rest[begin : begin + size] for begin in range(0, len(rest), size)]
        for index, part in enumerate(parts):
            ends = (0x80 if index == 0 else 0) | (0x40 if index == len(parts) - 1 else 0)
            if head == 1:
                yield bytes([nal[0] & 0xE0 | fragment, ends | nal[0] & 0x1F]) + part
            else:
                yield bytes([nal[0] & 0x81 | fragment << 1, nal[1], ends | nal[0] >> 1 & 0x3F]) + part


def stream(
    codec: str, units: Iterable[Sequence[bytes]], seed: int, *, step: int = 3000, marks: bool = True
) -> list[bytes]:
    """All packets of a stream of frames; numbers and stamps begin anywhere, so they turn over."""
    draw = random.Random(seed)
    number, stamp = draw.randrange(1 << 16), draw.choice([0, 2**32 - 2 * step, draw.randrange(1 << 32)])
    found = []
    for unit in units:
        whole = list(bodies(codec, unit, draw))
        for index, body in enumerate(whole):
            found.append(rtp(body, number, stamp, last=marks and index == len(whole) - 1))
            number += 1
        stamp += step
    return found


def annex_b(path: Path, codec: str) -> "list[av.Packet[Any]]":
    """A film's encoded frames, as they are to be cut up."""
    with av.open(path) as container:
        video = container.streams.video[0]
        form = av.BitStreamFilterContext(f"{codec}_mp4toannexb", video)
        return [out for packet in container.demux(video) for out in form.filter(packet) if out.size]
