import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.cache.sealing import COUNTER_BYTES, NONCE_BYTES, OVERHEAD, DamagedRecordError, Sealer

KEY = b"k" * 32


@given(st.binary(max_size=300), st.binary(max_size=40))
def test_what_is_sealed_opens(payload: bytes, bound: bytes) -> None:
    sealer = Sealer({1: KEY})
    sealed = sealer.seal(payload, bound)
    assert len(sealed) == len(payload) + OVERHEAD
    assert sealer.open(sealed, bound) == payload


@given(st.binary(min_size=1, max_size=60), st.data())
def test_a_flipped_bit_is_found(payload: bytes, data: st.DataObject) -> None:
    sealer = Sealer({1: KEY})
    sealed = bytearray(sealer.seal(payload, b"bound"))
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(DamagedRecordError):
        sealer.open(bytes(sealed), b"bound")


def test_what_is_bound_to_it_cannot_be_exchanged() -> None:
    sealer = Sealer({1: KEY})
    with pytest.raises(DamagedRecordError):
        sealer.open(sealer.seal(b"payload", b"id 1"), b"id 2")


@pytest.mark.parametrize("size", [0, 1, OVERHEAD - 1])
def test_too_short_is_damaged(size: int) -> None:
    with pytest.raises(DamagedRecordError):
        Sealer({1: KEY}).open(b"\x01" * size, b"")


def test_nonces_are_not_repeated_over_openings() -> None:
    nonces = [
        sealer.seal(b"", b"")[1 : 1 + NONCE_BYTES]
        for sealer in (Sealer({1: KEY}) for _ in range(50))
        for _ in range(50)
    ]
    assert len(set(nonces)) == len(nonces)


def test_a_counter_that_is_used_up_brings_a_new_prefix() -> None:
    prefixes = itertools.count()
    sealer = Sealer({1: KEY}, random=lambda n: next(prefixes).to_bytes(n, "big"))
    first = sealer.seal(b"", b"")
    sealer._counter = (1 << (8 * COUNTER_BYTES)) - 1
    last = sealer.seal(b"", b"")
    beyond = sealer.seal(b"", b"")
    assert len({first[1:13], last[1:13], beyond[1:13]}) == 3
    assert beyond[1:9] != first[1:9]
    assert beyond[9:13] == bytes(COUNTER_BYTES)


def test_the_newest_key_seals_and_older_ones_open() -> None:
    old = Sealer({1: KEY})
    both = Sealer({1: KEY, 2: b"n" * 32})
    assert both.open(old.seal(b"old", b""), b"") == b"old"
    with pytest.raises(DamagedRecordError):
        old.open(both.seal(b"new", b""), b"")
