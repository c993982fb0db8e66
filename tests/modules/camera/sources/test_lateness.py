import random

from hypothesis import given, settings
from hypothesis import strategies as st

from modules.camera.sources.lateness import Lateness
from modules.camera.sources.swell import Swell


def test_a_frame_that_was_held_up_is_that_late() -> None:
    lateness = Lateness()
    assert [lateness.seconds(stamp / 10, 5000 + stamp / 10) for stamp in range(50)] == [0.0] * 50
    assert abs(lateness.seconds(5.0, 5005.7) - 0.7) < 1e-9
    assert lateness.seconds(5.8, 5005.8) == 0


def test_clocks_that_drift_apart_do_not_make_frames_old() -> None:
    lateness = Lateness()
    late = [
        lateness.seconds(stamp * 0.1, stamp * 0.1 * 1.0002) for stamp in range(9000)
    ]  # a quarter of an hour, 200 ppm
    assert max(late) < 0.02


def test_a_camera_that_sets_its_clock_is_not_late() -> None:
    lateness = Lateness()
    lateness.seconds(0, 100)
    assert lateness.seconds(1_700_000_000, 101) == 0
    assert lateness.seconds(1_700_000_001, 102) == 0
    assert lateness.seconds(0, 103) == 0


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 9)), max_size=100))
def test_lateness_is_never_below_zero_nor_above_the_true_delay(steps: list[tuple[float, float]]) -> None:
    lateness, stamp = Lateness(), 0.0
    for step, delay in steps:
        stamp += step
        assert 0 <= lateness.seconds(stamp, 700 + stamp + delay) <= delay + 1e-6


def test_a_swell_is_several_times_the_usual() -> None:
    swell, draw = Swell(), random.Random(1)
    assert not any(swell.see(draw.randint(900, 1400)) for _ in range(500))
    assert swell.see(9000)
    assert not swell.see(1200)


@settings(max_examples=30)
@given(st.lists(st.integers(1, 10_000_000), max_size=200))
def test_nothing_is_a_swell_before_the_usual_is_known(sizes: list[int]) -> None:
    swell = Swell()
    assert not any([swell.see(size) for size in sizes][: Swell.LEARNT_AFTER])
