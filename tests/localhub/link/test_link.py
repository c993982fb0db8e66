"""Frames of the link, however they are cut on the way."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localhub import link

messages = st.builds(
    link.Telemetry,
    st.binary(max_size=20),
    st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
    st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
)
numbers = st.integers(0, 2**63)
up = st.one_of(
    st.builds(link.Hello, st.text()),
    st.builds(link.Batch, numbers, st.lists(messages, max_size=3)),
    st.builds(link.Reported, numbers, st.text(), st.none() | st.text(), st.binary(), numbers),
    st.builds(link.MethodAnswer, numbers, st.integers(-100, 600), st.binary(), st.none() | st.text()),
)


@given(st.lists(up, max_size=5), st.lists(st.integers(1, 40), min_size=1))
def test_frames_come_out_whole_however_the_stream_is_cut(frames: list[link.Up], cuts: list[int]) -> None:
    stream = b"".join(link.encode(frame) for frame in frames)
    reassembly = link.from_hub()
    found: list[link.Up] = []
    at = turn = 0
    while at < len(stream):
        size = cuts[turn % len(cuts)]
        found += reassembly.feed(stream[at : at + size])
        at += size
        turn += 1
    assert found == frames


def test_a_torn_frame_is_not_a_frame() -> None:
    assert link.from_hub().feed(link.encode(link.Hello("gw1"))[:-1]) == []


@given(st.binary(max_size=30))
def test_what_is_no_frame_is_refused(payload: bytes) -> None:
    with pytest.raises(link.LinkError):
        link.from_hub().feed(struct.pack(">I", len(payload) + 1) + b"\xc1" + payload)


def test_a_length_beyond_reason_is_refused_before_it_is_waited_for() -> None:
    with pytest.raises(link.LinkError, match="longer than"):
        link.from_hub().feed(b"\xff\xff\xff\xff")


def test_frames_of_the_other_direction_are_refused() -> None:
    with pytest.raises(link.LinkError):
        link.from_cloud().feed(link.encode(link.Hello("gw1")))
