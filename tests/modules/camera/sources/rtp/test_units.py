import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.camera.sources.rtp.sdp import START
from modules.camera.sources.rtp.units import LARGEST_UNIT, Unit, Units
from tests.modules.camera.sources.films import film
from tests.modules.camera.sources.rtp.packets import PAYLOAD, annex_b, nals, rtp, stream

KEY, OTHER, PARAMETERS = b"\x65\x88", b"\x41\x9a", b"\x67\x4d\x40"


def taken(packets: list[bytes], codec: str = "h264") -> list[Unit]:
    units = Units(codec, PAYLOAD)
    return [unit for packet in packets for unit in units.take(packet)]


def decoded(codec: str, packets: "Sequence[av.Packet[Any]]") -> list[np.ndarray]:
    decoder = cast("av.VideoCodecContext", av.CodecContext.create(codec, "r"))
    return [frame.to_ndarray() for each in [*packets, None] for frame in decoder.decode(each)]


def slices(count: int) -> list[list[bytes]]:
    """Frames of H.264, the first of each five a key frame with its parameters; their bodies tell them apart."""
    frames = []
    for index in range(count):
        body = index.to_bytes(2, "big") * 400
        frames.append([PARAMETERS, b"\x68\xee", KEY + body] if index % 5 == 0 else [OTHER + body])
    return frames


@pytest.mark.parametrize(("codec", "encoder"), [("h264", "libx264"), ("hevc", "libx265")])
@pytest.mark.parametrize("marks", [True, False])
def test_what_real_encoders_made_is_put_together_to_the_bit_and_decodes_alike(
    tmp_path: Path, codec: str, encoder: str, marks: bool
) -> None:
    path = film(tmp_path / "a.mkv", 40, codec=encoder, key_every=10)
    encoded = annex_b(path, codec)
    cut = [nals(bytes(each)) for each in encoded]
    units = taken(stream(codec, [*cut, cut[-1]], 1, marks=marks), codec)[: len(encoded)]
    assert [nals(unit.data) for unit in units] == [nals(bytes(each)) for each in encoded]
    assert [unit.key for unit in units] == [each.is_keyframe for each in encoded]
    steps = np.diff([unit.ticks for unit in units])
    assert set(steps) == {3000}
    shown = [decoded(codec, [av.Packet(unit.data) for unit in units]), decoded(codec, encoded)]
    assert len(shown[0]) == 40
    assert all(np.array_equal(one, other) for one, other in zip(*shown, strict=True))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.booleans())
def test_however_it_is_cut_the_same_frames_come(seed: int, count: int, marks: bool) -> None:
    frames = slices(count)
    units = taken(stream("h264", [*frames, [OTHER]], seed, marks=marks))
    assert [unit.data for unit in units][:count] == [b"".join(START + nal for nal in each) for each in frames]
    assert [unit.key for unit in units][:count] == [index % 5 == 0 for index in range(count)]
    assert not any(unit.damaged for unit in units[:count])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.data())
def test_a_lost_packet_damages_what_it_belonged_to_or_follows_it_and_nothing_else(
    seed: int, data: st.DataObject
) -> None:
    frames = slices(12)
    packets = stream("h264", frames, seed)
    lost = data.draw(st.integers(1, len(packets) - 2))
    whole = {unit.data: unit.ticks for unit in taken(packets)}
    units = taken(packets[:lost] + packets[lost + 1 :])
    assert sum(unit.damaged for unit in units) == 1
    assert all(unit.damaged or whole[unit.data] == unit.ticks for unit in units)
    assert len(units) >= len(frames) - 1


def test_a_camera_that_marks_each_slice_is_found_out() -> None:
    first, second = OTHER + bytes(50), b"\x41\x1a" + bytes(50)
    packets = [rtp(body, number, 3000 * (number // 2), last=True) for number, body in enumerate([first, second] * 5)]
    units = taken(packets)
    assert [len(nals_) for unit in units[2:] if (nals_ := unit.data.split(START)[1:])] == [2] * len(units[2:])
    assert len(units) >= 4


def test_parameters_alone_wait_for_the_picture() -> None:
    units = taken(
        [
            rtp(PARAMETERS, 0, 0, last=True),
            rtp(b"\x68\xee", 1, 0, last=True),
            rtp(KEY + b"a", 2, 90, last=True),
        ]
    )
    assert [(unit.data, unit.key) for unit in units] == [
        (START + PARAMETERS + START + b"\x68\xee" + START + KEY + b"a", True)
    ]


@pytest.mark.parametrize(
    ("sei", "key"),
    [
        (b"\x06\x06\x01\xc4\x80", True),
        (b"\x06\x05\x02\x06\x06\x06\x01\xc4\x80", True),
        (b"\x06\x05\x02\x06\x06\x80", False),
        (b"\x06\xff\xff", False),
    ],
)
def test_where_a_stream_without_idr_frames_recovers_is_a_key_frame(sei: bytes, key: bool) -> None:
    (unit,) = taken([rtp(sei, 0, 0, last=False), rtp(OTHER + b"a", 1, 0, last=True)])
    assert unit.key == key


def test_extras_of_the_head_are_no_picture() -> None:
    extended = b"csrc" + b"\xbe\xde\x00\x01" + b"more" + KEY + b"a" + b"\0\0\x03"
    (unit,) = taken([rtp(extended, 0, 0, last=True, head=0xB1)])
    assert unit.data == START + KEY + b"a"


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=60), st.sampled_from(["h264", "hevc"]), st.integers(0, 1000))
def test_garbage_never_fails_nor_grows(garbage: list[bytes], codec: str, seed: int) -> None:
    units, draw = Units(codec, PAYLOAD), random.Random(seed)
    whole = stream("h264", slices(6), seed)
    came = 0
    for each in [
        *garbage,
        *(rtp(body, draw.randrange(1 << 16), draw.randrange(9), last=draw.random() < 0.3) for body in garbage),
    ]:
        came += len(each) + 8
        for unit in units.take(each):
            assert unit.data or unit.damaged
        units.take(draw.choice(whole))
    assert units.kept <= came + 2 * sum(map(len, whole)) * max(1, len(garbage))


def test_a_frame_without_end_is_given_up() -> None:
    units = Units("h264", PAYLOAD)
    units.take(rtp(b"\x7c\x85" + KEY, 0, 0, last=False))
    part = bytes(60_000)
    for number in range(1, 2 * LARGEST_UNIT // len(part)):
        units.take(rtp(b"\x7c\x05" + part, number, 0, last=False))
        assert units.kept <= LARGEST_UNIT + 2 * len(part)
    (unit,) = units.take(rtp(b"\x7c\x45" + part, 2 * LARGEST_UNIT // len(part), 0, last=True))
    assert unit.damaged
