"""A raw value becomes a number that may be sent, or is told apart by reason."""

import contextlib
import math
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from modules.sensors.point import Point, Unusable

ANY = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text("1e+. n", max_size=5),
    st.binary(max_size=5),
    st.lists(st.floats(), max_size=3),
)


@given(ANY, st.floats(-1e300, 1e300).filter(bool), st.floats(-1e300, 1e300))
def test_whatever_comes_what_is_sent_is_a_finite_number(raw: object, scale: float, offset: float) -> None:
    point = Point(name="a", address="x", scale=scale, offset=offset)
    with contextlib.suppress(Unusable):
        value = point.number(raw)
        assert math.isfinite(value)
        assert isinstance(raw, int | float)
        assert value == raw * scale + offset


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 0), st.floats(1, 1e6))
def test_what_lies_outside_the_range_is_never_sent(raw: float, low: float, high: float) -> None:
    point = Point(name="a", address="x", low=low, high=high)
    if low <= raw <= high:
        assert point.number(raw) == raw
    else:
        with pytest.raises(Unusable, match="out_of_range"):
            point.number(raw)


def test_scale_comes_before_offset() -> None:
    assert Point(name="a", address="x", scale=0.1, offset=-40).number(650) == pytest.approx(25)


@given(st.lists(st.floats(), min_size=1, max_size=20))
def test_one_bad_sample_spoils_the_block(raw: list[float]) -> None:
    point = Point(name="a", address="x", rate_hz=100, unit="m/s2")
    fits = all(math.isfinite(each) and abs(each) < 3e38 for each in raw)
    if fits:
        assert array("f", point.samples(raw)) == array("f", raw)  # -0.0 may come out as 0.0
    elif not all(map(math.isfinite, raw)):
        with pytest.raises(Unusable):
            point.samples(raw)


@pytest.mark.parametrize("raw", [None, 3.0, "123", b"123", []])
def test_what_is_no_array_is_no_waveform(raw: object) -> None:
    with pytest.raises(Unusable, match="wrong_type"):
        Point(name="a", address="x", rate_hz=100, unit="m/s2").samples(raw)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "no spaces"}, "pattern"),
        ({"name": "/begins"}, "pattern"),
        ({"scale": 0}, "scale 0"),
        ({"low": 2, "high": 1}, "low must be below high"),
        ({"rate_hz": 100}, "needs a unit"),
        ({"colour": 1}, "Extra inputs"),
    ],
)
def test_a_point_that_makes_no_sense_is_refused(fields: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Point.model_validate({"name": "a", "address": "x"} | fields)
