import pytest

from modules.cache.outage import Intake


def test_says_nothing_before_it_knows() -> None:
    intake = Intake()
    assert intake.hours_left(1 << 30, 1.3, 0.0) is None
    intake.observe(0, 0.0)
    intake.observe(1000, 5.0)
    assert intake.hours_left(1 << 30, 1.3, 5.0) is None


def test_hours_at_a_steady_rate() -> None:
    intake = Intake()
    for second in range(0, 100, 2):
        intake.observe(1000 * second, float(second))
    hours = intake.hours_left(3_600_000 * 5, 1.0, 98.0)
    assert hours == pytest.approx(5.0)


def test_no_intake_no_end() -> None:
    intake = Intake()
    for second in range(30):
        intake.observe(7, float(second))
    assert intake.hours_left(1, 1.0, 30.0) is None


def test_a_new_rate_takes_over_with_time() -> None:
    intake = Intake(constant_s=60.0)
    total = 0
    for second in range(3600):
        total += 100 if second < 1800 else 1000
        intake.observe(total, float(second))
    assert intake.rate == pytest.approx(1000, rel=0.01)
