import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.cache.record import associated, pack_id, unpack_id

texts = st.tuples(*[st.text(max_size=20)] * 3)


@given(st.uuids())
def test_a_canonical_uuid_takes_sixteen_bytes(identity: uuid.UUID) -> None:
    assert pack_id(str(identity)) == identity.bytes
    assert unpack_id(identity.bytes) == str(identity)


@given(st.text(min_size=1, max_size=128))
def test_any_id_comes_back(text: str) -> None:
    assert unpack_id(pack_id(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "01A2016F-E661-7786-87CD-ECC56A0F2BF2",
        "01a2016fe661778687cdecc56a0f2bf2",
        "01a2016f-e661-7786-87cd-ecc56a0f2b f",
        "01a2016f-e661-7786-87cd-ecc56a0f2bfz",
        "------------------------------------",
    ],
)
def test_what_only_looks_like_a_uuid_stays_text(text: str) -> None:
    assert pack_id(text) == text
    assert unpack_id(pack_id(text)) == text


@given(texts, texts)
def test_no_two_records_bind_the_same_bytes(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    same = associated(1, 2, 3, 4, 5, 6, 7, *one) == associated(1, 2, 3, 4, 5, 6, 7, *other)
    assert same == (one == other)


def test_every_column_is_bound() -> None:
    plain = associated(0, 0, 0, 0, 0, 0, 0, "id", "kind", "source")
    for place in range(7):
        one, two, three, four, five, six, seven = (int(place == column) for column in range(7))
        assert associated(one, two, three, four, five, six, seven, "id", "kind", "source") != plain
