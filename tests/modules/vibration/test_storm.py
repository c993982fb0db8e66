"""Many findings at once become one, and it ends."""

from typing import Any

from modules.vibration.finding import Finding
from modules.vibration.storm import MOST, Storms


def finding(number: int, state: Any = "raised", severity: Any = "warning") -> Finding:
    return Finding(
        sensor=f"s{number}", rule="level", severity=severity, state=state, time=float(number), text="", advice=""
    )


def test_a_few_findings_pass_as_they_are() -> None:
    few = [finding(number) for number in range(MOST)]
    assert Storms().pass_on(few, 0.0) == few


def test_a_storm_is_one_alert_with_a_list_that_ends_with_the_last_sensor() -> None:
    storms = Storms()
    told = storms.pass_on([finding(number) for number in range(100)], 0.0)
    assert [each.sensor for each in told[:MOST]] == [f"s{number}" for number in range(MOST)]
    assert [(each.sensor, each.state, each.evidence["count"]) for each in told[MOST:]] == [
        ("many sensors", "raised", 80)
    ]
    (more,) = storms.pass_on([finding(number) for number in range(100, 130)], 5.0)
    assert (more.state, more.evidence["count"]) == ("updated", 110)
    later = Storms()
    later.restore(storms.saved())
    recovered = [finding(number, "cleared", "info") for number in range(130)]
    told = later.pass_on(recovered[:129], 20.0)
    assert [each.sensor for each in told[:MOST]] == [f"s{number}" for number in range(MOST)]
    assert (told[-1].state, told[-1].evidence["count"]) == ("updated", 1)
    (end,) = later.pass_on(recovered[129:], 21.0)
    assert (end.sensor, end.state, end.severity) == ("many sensors", "cleared", "info")


def test_slow_findings_are_no_storm() -> None:
    storms = Storms()
    for number in range(200):
        assert storms.pass_on([finding(number)], number * 1.0) == [finding(number)]
