import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.common.messages import BadMessage, Reading, packed, senml

NAMES = st.text(st.characters(codec="utf-8", max_codepoint=0x2FFF, exclude_characters="\n"), min_size=1, max_size=12)
READINGS = st.lists(
    st.builds(
        Reading,
        name=NAMES | st.sampled_from(["hall/a", "hall/b"]),
        value=st.floats(allow_nan=False, allow_infinity=False, width=32),
        time=st.integers(0, 2_000_000_000).map(lambda us: 1.7e9 + us * 1e-6),
        unit=st.none() | st.sampled_from(["Cel", "m/s2", "Pa"]),
    ),
    max_size=30,
)


@given(READINGS, st.booleans())
def test_what_was_packed_comes_back_as_from_senml(readings: list[Reading], double: bool) -> None:
    batch = packed.decode(packed.encode(readings, double=double))
    plain = senml.decode(senml.encode(readings))
    assert (batch.names, batch.values, batch.units) == (plain.names, plain.values, plain.units)
    assert batch.times == pytest.approx(plain.times, abs=3e-6, rel=0)
    assert batch.rejected == {}


def test_the_bytes_are_as_documented() -> None:
    body = packed.encode([Reading("press4/oil", 61.5, 1.7e9, "Cel"), Reading("press4/motor", 74.0, 1.7e9 + 0.1, "Cel")])
    rest = b"press4/" + b"oil\nmotor\n" + b"\x03Cel" + struct.pack("<2f2i", 61.5, 74.0, 0, 100_000)
    head = struct.pack("<4sBBHIIIdI", b"MWR1", 0, 1, 7, 2, 2, 10, 1.7e9, zlib.crc32(rest))
    assert body == head + rest
    assert len(head) == 32


def test_it_is_half_as_large_as_senml() -> None:
    readings = [Reading(f"hall/s{number:05d}", 20.123, 1.7e9 + number * 1e-4, "Cel") for number in range(5000)]
    assert len(packed.encode(readings)) < 0.5 * len(senml.encode(readings))


@given(READINGS.filter(bool), st.data())
def test_no_damage_goes_unnoticed(readings: list[Reading], data: st.DataObject) -> None:
    body = bytearray(packed.encode(readings))
    place = data.draw(st.integers(32, len(body) - 1))
    body[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BadMessage):
        packed.decode(bytes(body))
    with pytest.raises(BadMessage):
        packed.decode(bytes(body[: data.draw(st.integers(0, len(body) - 1))]))


@given(st.binary(max_size=200), st.binary(min_size=28, max_size=28))
def test_rubbish_is_refused_and_nothing_else(rest: bytes, head: bytes) -> None:
    """Also with the magic and a checksum that fits: every count in the head may lie."""
    for body in (rest, b"MWR1" + head[4:] + struct.pack("<I", zlib.crc32(rest)) + rest):
        try:
            batch = packed.decode(body)
        except BadMessage:
            continue
        assert len(batch.names) == len(batch.values) == len(batch.times) == len(batch.units)


def test_what_cannot_be_used_is_counted_and_the_rest_is_taken() -> None:
    rest = b"a\n\n" + struct.pack("<2f2i2I", float("nan"), 2.0, 0, 0, 0, 1)
    head = struct.pack("<4sBBHIIIdI", b"MWR1", 2, 0, 0, 2, 2, 3, 1.7e9, zlib.crc32(rest))
    batch = packed.decode(head + rest)
    assert (batch.names, batch.rejected) == ([], {"nan": 1, "no_name": 1})


@pytest.mark.parametrize(
    ("readings", "reason"),
    [
        ([Reading("a", float("inf"), 1.7e9)], "nan"),
        ([Reading("a", 1e300, 1.7e9)], "nan"),
        ([Reading("", 1.0, 1.7e9)], "no_name"),
        ([Reading("a\nb", 1.0, 1.7e9)], "no_name"),
        ([Reading("a", 1.0, 1.7e9), Reading("b", 1.0, 1.7e9 + 3000)], "no_time"),
        ([Reading("a", 1.0, 1.7e9, f"u{number}") for number in range(300)], "wrong_shape"),
    ],
)
def test_what_the_format_cannot_hold_is_refused_by_the_sender(readings: list[Reading], reason: str) -> None:
    with pytest.raises(BadMessage) as refused:
        packed.encode(readings)
    assert refused.value.reason == reason
