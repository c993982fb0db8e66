"""Registers become numbers, in every order of bytes; and many points become few requests."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from modules.sensors.registers import MOST_BITS, MOST_REGISTERS, ModbusPoint, plan

KINDS = {"int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q", "float32": "f", "float64": "d"}


def stored(order: str, wanted: float, code: str) -> list[int]:
    """The registers in which a device that calls the value's bytes ABCD (from the highest) has it in this order."""
    whole = struct.pack(f">{code}", wanted)
    words = [whole[at : at + 2] for at in range(0, len(whole), 2)]
    if order in ("CDAB", "DCBA"):
        words.reverse()
    if order in ("BADC", "DCBA"):
        words = [word[::-1] for word in words]
    return [int.from_bytes(word, "big") for word in words]


@given(st.sampled_from(sorted(KINDS)), st.sampled_from(["ABCD", "CDAB", "BADC", "DCBA"]), st.integers(0, 30_000))
def test_every_order_of_every_type_is_read(kind: str, order: str, wanted: int) -> None:
    point = ModbusPoint.model_validate({"name": "a", "address": "holding/0", "kind": kind, "order": order})
    assert point.value(stored(order, wanted, KINDS[kind])) == wanted


def test_the_names_of_the_orders_are_those_of_the_manuals() -> None:
    # 123.5 as float32 is 42 F7 00 00.
    for order, registers in {
        "ABCD": [0x42F7, 0],
        "CDAB": [0, 0x42F7],
        "BADC": [0xF742, 0],
        "DCBA": [0, 0xF742],
    }.items():
        point = ModbusPoint.model_validate({"name": "a", "address": "input/0", "kind": "float32", "order": order})
        assert point.value(registers) == 123.5


def test_a_bit_of_a_register() -> None:
    point = ModbusPoint(name="a", address="holding/0.9", kind="bool")
    assert point.value([0b10_0000_0000]) is True
    assert point.value([0b01_0000_0000]) is False


ADDRESSES = st.sets(
    st.tuples(st.sampled_from(["holding", "input", "coil"]), st.integers(0, 3000), st.sampled_from([1, 2])), max_size=80
)


@given(ADDRESSES, st.integers(0, 10))
def test_the_plan_reads_every_point_once_within_the_limits(wanted: set[tuple[str, int, int]], gap: int) -> None:
    points = [
        ModbusPoint.model_validate(
            {
                "name": f"p{n}",
                "address": f"{table}/{start}",
                "device": device,
                "kind": "bool" if table == "coil" else "float32",
            }
        )
        for n, (table, start, device) in enumerate(sorted(wanted))
    ]
    spans = plan(points, 1, gap)
    assert sorted(point.name for span in spans for point in span.points) == sorted(point.name for point in points)
    for span in spans:
        assert span.count <= (MOST_BITS if span.table == "coil" else MOST_REGISTERS)
        assert len(list(span.requests)) == 1
        for point in span.points:
            assert (point.table, point.device) == (span.table, span.device)
            assert span.start <= point.start
            assert point.start + point.width <= span.start + span.count


def test_a_thousand_neighbours_are_eight_requests() -> None:
    points = [ModbusPoint(name=f"p{n}", address=f"holding/{n}") for n in range(1000)]
    assert [span.count for span in plan(points, 1)] == [125] * 8


def test_a_gap_is_read_along_only_where_it_is_allowed() -> None:
    points = [ModbusPoint(name=f"p{n}", address=f"holding/{n}") for n in (0, 5)]
    assert len(plan(points, 1)) == 2
    assert [span.count for span in plan(points, 1, gap=4)] == [6]


def test_an_array_longer_than_a_request_is_read_in_several() -> None:
    point = ModbusPoint(name="a", address="holding/0", kind="float32", count=100, rate_hz=10, unit="m/s2")
    (span,) = plan([point], 1)
    assert list(span.requests) == [(0, 125), (125, 75)]


@pytest.mark.parametrize(
    "fields",
    [
        {"address": "40001"},
        {"address": "coil/1.2"},
        {"address": "holding/1.16", "kind": "bool"},
        {"address": "holding/1", "kind": "bool"},
        {"address": "holding/65535", "kind": "float32"},
        {"address": "holding/1", "count": 5},
    ],
)
def test_an_address_that_cannot_be_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ModbusPoint.model_validate({"name": "a"} | fields)
