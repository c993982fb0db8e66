"""Rules: what fits, and what the clock on the wall says of quiet hours."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from modules.alarms.rule import DAYS, QuietHours, Rule

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = QuietHours(begins=time(22), ends=time(6))


def at(text: str, zone: ZoneInfo = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


@pytest.mark.parametrize(
    ("moment", "quiet"),
    [
        ("2026-01-05T21:59:59", False),
        ("2026-01-05T22:00:00", True),
        ("2026-01-06T05:59:59", True),
        ("2026-01-06T06:00:00", False),
    ],
)
def test_a_night_goes_over_midnight(moment: str, quiet: bool) -> None:
    assert NIGHT.holds(at(moment), BERLIN) is quiet


def test_the_day_is_the_one_on_which_it_begins() -> None:
    friday = QuietHours(begins=time(22), ends=time(6), days=("fri",))
    assert friday.holds(at("2026-01-09T23:00:00"), BERLIN)
    assert friday.holds(at("2026-01-10T05:00:00"), BERLIN)
    assert not friday.holds(at("2026-01-09T05:00:00"), BERLIN)
    assert not friday.holds(at("2026-01-10T23:00:00"), BERLIN)
    whole = QuietHours(begins=time(0), ends=time(0), days=("sun",))
    assert whole.holds(at("2026-01-11T00:00:00"), BERLIN)
    assert whole.holds(at("2026-01-11T23:59:59"), BERLIN)
    assert not whole.holds(at("2026-01-12T00:00:00"), BERLIN)


def test_a_change_of_the_clocks_moves_no_quiet_hours() -> None:
    # Germany's clocks go from 2 to 3 on 29 March 2026, and from 3 back to 2 on 25 October.
    for day in ("2026-03-29", "2026-10-25"):
        assert NIGHT.holds(at(f"{day}T05:59:59"), BERLIN)
        assert not NIGHT.holds(at(f"{day}T06:00:00"), BERLIN)
    autumn = datetime(2026, 10, 25, 0, 30, tzinfo=UTC).timestamp()  # half past two, for the first time
    twice = QuietHours(begins=time(2), ends=time(3))
    assert twice.holds(autumn, BERLIN)
    assert twice.holds(autumn + 3600, BERLIN)
    assert not twice.holds(autumn + 7200, BERLIN)
    never = datetime(2026, 3, 29, tzinfo=UTC).timestamp()
    assert not any(twice.holds(never + 60 * minute, BERLIN) for minute in range(180))


TIMES = st.times().map(lambda each: each.replace(microsecond=0))
MOMENTS = st.integers(1_577_836_800, 1_893_456_000).map(float)  # 2020 to 2030


@given(begins=TIMES, ends=TIMES, days=st.sets(st.sampled_from(DAYS), min_size=1), moment=MOMENTS)
@example(begins=time(2, 30), ends=time(3), days=set(DAYS), moment=at("2026-03-29T01:59:59"))
def test_nothing_changes_before_it_is_said_to(begins: time, ends: time, days: set[str], moment: float) -> None:
    quiet = QuietHours(begins=begins, ends=ends, days=tuple(days))
    until = quiet.changes_in(moment, BERLIN)
    assert 0 < until <= 24 * 3600
    before = datetime.fromtimestamp(moment, BERLIN)
    later = moment + until * 0.999
    if before.utcoffset() == datetime.fromtimestamp(later, BERLIN).utcoffset():
        assert quiet.holds(later, BERLIN) == quiet.holds(moment, BERLIN)


@given(moment=MOMENTS)
def test_a_night_is_as_long_on_the_wall_whatever_the_date(moment: float) -> None:
    wall = datetime.fromtimestamp(moment, BERLIN).time()
    assert NIGHT.holds(moment, BERLIN) == (wall >= time(22) or wall < time(6))


def test_a_rule_fits_by_severity_source_kind_and_module() -> None:
    rule = Rule(severity="warning", sources=("press*/oil", "oven"), kinds=("level",), modules=("vib*",), outputs=("a",))
    assert rule.fits("vibration", "press4/oil", "level", "critical")
    assert not rule.fits("vibration", "press4/oil", "level", "info")
    assert not rule.fits("vibration", "press4/motor", "level", "critical")
    assert not rule.fits("vibration", "press4/oil", "z", "critical")
    assert not rule.fits("inference", "press4/oil", "level", "critical")
    assert rule.fits("vibration", "oven", "level", "warning")
    assert not rule.fits("vibration", "Oven", "level", "warning")


def test_a_rule_without_outputs_is_none() -> None:
    with pytest.raises(ValidationError):
        Rule(outputs=())


def test_hours_and_days_come_as_texts() -> None:
    quiet = QuietHours.model_validate({"begins": "22:00", "ends": "06:00", "days": ["sat", "sun"]})
    assert (quiet.begins, quiet.days) == (time(22), ("sat", "sun"))
    assert quiet.changes_in(at("2026-01-03T21:00:00"), BERLIN) == timedelta(hours=1).total_seconds()
