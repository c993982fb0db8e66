import contextlib
import json
import math
import time

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.common.messages import BadMessage, Reading, senml

NAMES = st.text(st.characters(codec="utf-8", max_codepoint=0x2FFF), min_size=1, max_size=12)
READINGS = st.lists(
    st.builds(
        Reading,
        name=NAMES,
        value=st.floats(allow_nan=False, allow_infinity=False),
        time=st.floats(1.6e9, 1.9e9).map(lambda t: round(t, 3)),
        unit=st.none() | st.sampled_from(["Cel", "m/s2", "Pa"]),
    ),
    min_size=1,
    max_size=30,
)


@given(READINGS)
def test_what_was_encoded_comes_back(readings: list[Reading]) -> None:
    batch = senml.decode(senml.encode(readings))
    assert batch.names == [reading.name for reading in readings]
    assert batch.values == [reading.value for reading in readings]
    assert batch.units == [reading.unit for reading in readings]
    assert batch.times == pytest.approx([reading.time for reading in readings], abs=2e-6, rel=0)
    assert batch.rejected == {}


@given(READINGS)
def test_the_fast_way_and_the_careful_way_agree(readings: list[Reading]) -> None:
    records = orjson.loads(senml.encode(readings))
    plain = senml._decode_plain(records)
    assert plain is not None
    assert plain == senml._decode_full(records, None)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["bn", "bt", "bu", "bv", "bver", "n", "v", "vb", "vs", "t", "u", "x_"]), inner
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_gives_a_batch_or_a_reason(value: object) -> None:
    with contextlib.suppress(BadMessage):
        batch = senml.decode(json.dumps(value).encode(), now=1.7e9)
        assert len(batch.names) == len(batch.values) == len(batch.times) == len(batch.units)
        assert all(map(math.isfinite, batch.values))
        assert all(map(math.isfinite, batch.times))


@pytest.mark.parametrize(
    ("body", "values", "rejected"),
    [
        (b'[{"bt":1.7e9,"n":"a","v":1},{"n":"b","v":NaN},{"n":"c","v":3}]', [1, 3], {"nan": 1}),
        (b'[{"bt":1.7e9,"n":"a","v":1},{"n":"b","v":null},{"n":"c","v":Infinity}]', [1], {"not_a_number": 1, "nan": 1}),
        (b'[{"bt":1.7e9,"n":"a","v":1},{"v":2},{"n":"c","vs":"open"}]', [1], {"no_name": 1, "not_a_number": 1}),
        (b'[{"n":"a","v":1}]', [], {"no_time": 1}),
        (b'[{"bt":1.7e9,"bv":10,"n":"a","v":1},{"n":"b","vb":true}]', [11, 1], {}),
        (b"[]", [], {}),
    ],
)
def test_a_bad_reading_is_counted_and_the_rest_kept(body: bytes, values: list[float], rejected: dict[str, int]) -> None:
    batch = senml.decode(body)
    assert (batch.values, batch.rejected) == (values, rejected)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "not_json"),
        (b'{"n":"a"}', "wrong_shape"),
        (b"[1]", "wrong_shape"),
        (b'[{"bver":11,"n":"a","v":1}]', "senml_version"),
        (b'[{"bt":1.7e9,"n":"a","v":1,"x_":1}]', "wrong_shape"),
    ],
)
def test_a_bad_body_is_refused_with_a_reason(body: bytes, reason: str) -> None:
    with pytest.raises(BadMessage) as caught:
        senml.decode(body)
    assert caught.value.reason == reason


def test_relative_time_counts_from_receipt() -> None:
    assert senml.decode(b'[{"n":"a","v":1,"t":-5}]', now=1.7e9).times == [1.7e9 - 5]


def test_rfc_8428_example_with_base_name() -> None:
    body = (
        b'[{"bn":"urn:dev:ow:10e2073a01080063:","bt":1320067464,"n":"temp","u":"Cel","v":23.1},'
        b'{"n":"hum","u":"%RH","v":67.3,"t":2}]'
    )
    batch = senml.decode(body)
    assert batch.names == ["urn:dev:ow:10e2073a01080063:temp", "urn:dev:ow:10e2073a01080063:hum"]
    assert batch.times == [1320067464, 1320067466]
    assert batch.units == ["Cel", "%RH"]


def test_nan_is_never_sent() -> None:
    with pytest.raises(BadMessage, match="nan"):
        senml.encode([Reading("a", math.nan, 1.7e9)])


def test_a_batch_takes_well_under_a_millisecond_for_a_thousand_records() -> None:
    body = senml.encode([Reading(f"press{i % 50}/bearing{i}", i * 0.1, 1.7e9 + i / 1000) for i in range(1000)])
    best = math.inf
    for _ in range(20):
        begun = time.perf_counter()
        senml.decode(body)
        best = min(best, time.perf_counter() - begun)
    # A guard against falling off the fast way (some ten times slower), not a benchmark.
    assert best < 5e-3
