from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from modules.common.messages import derived_id, id_time_ms, new_id

TIMES = st.integers(0, (1 << 48) - 1)


@given(TIMES)
def test_a_new_id_is_a_uuid7_that_begins_with_its_time(now_ms: int) -> None:
    parsed = UUID(new_id(now_ms))
    assert (parsed.version, parsed.variant) == (7, "specified in RFC 4122")
    assert parsed.int >> 80 == now_ms == id_time_ms(str(parsed))


def test_new_ids_differ() -> None:
    assert len({new_id(1) for _ in range(1000)}) == 1000


@given(TIMES, st.text(), st.text(), st.integers(0, 10_000))
def test_a_derived_id_is_a_uuid8_that_keeps_the_time_and_repeats(
    now_ms: int, module: str, output: str, index: int
) -> None:
    parent = new_id(now_ms)
    child = derived_id(parent, module, output, index)
    assert child == derived_id(parent, module, output, index)
    assert (UUID(child).version, id_time_ms(child)) == (8, now_ms)
    assert child not in {
        derived_id(parent, module, output, index + 1),
        derived_id(parent, module, output + "x", index),
        derived_id(parent, module + "x", output, index),
        derived_id(new_id(now_ms), module, output, index),
    }


@given(st.text())
def test_a_foreign_parent_still_gives_a_fixed_uuid8(parent: str) -> None:
    assert derived_id(parent, "m", "o", 0) == derived_id(parent, "m", "o", 0)
    assert UUID(derived_id(parent, "m", "o", 0)).version == 8


def test_ids_are_the_same_on_every_machine() -> None:
    parent = "0198c1de-7b3a-7c4e-9d2f-0123456789ab"
    assert derived_id(parent, "vibration", "alerts", 0) == "0198c1de-7b3a-8d20-b376-b953e07c457f"
