from hypothesis import given
from hypothesis import strategies as st

from modules.camera.rest import Rest


def test_it_rests_after_its_time_and_rises_at_once() -> None:
    rest = Rest(10)
    assert [rest.look(moving=False, now=float(now)) for now in range(12)] == [False] * 10 + [True, False]
    assert rest.resting
    assert rest.look(moving=True, now=12.5)
    assert not rest.resting


def test_zero_never_rests() -> None:
    rest = Rest(0)
    assert not any(rest.look(moving=False, now=float(now)) for now in range(0, 100_000, 1000))


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 30)), max_size=50))
def test_it_never_rests_within_its_time_of_a_motion(looks: list[tuple[bool, float]]) -> None:
    rest, now, moved = Rest(10), 0.0, 0.0
    for index, (moving, step) in enumerate(looks):
        now += step
        moved = now if moving or index == 0 else moved
        rest.look(moving=moving, now=now)
        assert rest.resting == (now - moved >= 10)
