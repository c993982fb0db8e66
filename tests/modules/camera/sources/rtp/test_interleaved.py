import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.camera.sources.rtp.interleaved import LONGEST_BODY, LONGEST_HEAD, Interleaved, Message, NotRtsp

packets = st.tuples(st.integers(0, 255), st.binary(max_size=70))
replies = st.builds(
    lambda status, body: b"RTSP/1.0 %d OK\r\nCSeq: 3\r\nContent-length: %d\r\n\r\n%b" % (status, len(body), body),
    st.integers(100, 599),
    st.binary(max_size=40),
)


def wired(thing: tuple[int, bytes] | bytes) -> bytes:
    return thing if isinstance(thing, bytes) else b"$%c%b%b" % (thing[0], len(thing[1]).to_bytes(2, "big"), thing[1])


def cut(data: bytes, draw: random.Random) -> list[bytes]:
    parts = []
    while data:
        size = draw.choice([1, 2, 3, 5, 40, 1000])
        parts.append(data[:size])
        data = data[size:]
    return parts


def fed(parts: list[bytes]) -> tuple[list[tuple[int, bytes] | Message], bool]:
    """What comes, and whether it ends in a fault."""
    stream, found = Interleaved(), []
    try:
        for part in parts:
            found += stream.feed(part)
        found += stream.feed(b"")
    except NotRtsp:
        with pytest.raises(NotRtsp):
            stream.feed(b"$\0\0\0")
        return found, True
    return found, False


@settings(max_examples=150, deadline=None)
@given(st.lists(packets | replies, max_size=12), st.integers(0, 10**6))
def test_any_split_into_reads_gives_the_same(things: list[tuple[int, bytes] | bytes], seed: int) -> None:
    whole = b"".join(map(wired, things))
    found, broken = fed(cut(whole, random.Random(seed)))
    assert not broken
    assert [each for each in found if not isinstance(each, Message)] == [
        each for each in things if isinstance(each, tuple)
    ]
    messages = [each for each in found if isinstance(each, Message)]
    assert [each.body for each in messages] == [
        each.partition(b"\r\n\r\n")[2] for each in things if isinstance(each, bytes)
    ]
    assert all(each.headers["cseq"] == "3" and each.status in range(100, 600) for each in messages)


@settings(max_examples=200, deadline=None)
@given(st.lists(packets | replies | st.binary(max_size=40), max_size=8), st.integers(0, 10**6))
def test_garbage_between_ends_it_at_the_same_place_and_is_never_hoarded(
    things: list[tuple[int, bytes] | bytes], seed: int
) -> None:
    whole = b"".join(map(wired, things))
    assert fed(cut(whole, random.Random(seed))) == fed([whole])


@pytest.mark.parametrize(
    "endless",
    [
        b"x",
        b"RTSP/1.0 200 OK",
        b"RTSP/1.0 200 OK\r\n" + b"a: b\r\n" * 9,
        b"RTSP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n",
    ],
)
def test_what_never_ends_is_given_up(endless: bytes) -> None:
    stream, told = Interleaved(), endless.replace(b"%d", b"%d" % (LONGEST_BODY + 1))

    def feed() -> None:
        while stream.kept <= LONGEST_HEAD + len(told):
            stream.feed(told)

    with pytest.raises(NotRtsp):
        feed()


def test_of_several_challenges_all_are_kept() -> None:
    (message,) = Interleaved().feed(
        b"RTSP/1.0 401 No\r\nWWW-Authenticate: a\r\nWWW-authenticate: b\r\nno colon\r\n\r\n"
    )
    assert isinstance(message, Message)
    assert (message.status, message.headers["www-authenticate"]) == (401, "a\nb")


def test_a_request_of_the_server_has_no_status() -> None:
    (message,) = Interleaved().feed(b"\r\nOPTIONS * RTSP/1.0\r\n\r\n")
    assert isinstance(message, Message)
    assert message.status is None
