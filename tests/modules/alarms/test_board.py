"""The pure core: alerts, rules and time in; what sounds out."""

from dataclasses import replace
from datetime import UTC, datetime, time
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from modules.alarms import board as boards
from modules.alarms.board import Board
from modules.alarms.condition import Condition, Key
from modules.alarms.rule import QuietHours, Rule
from modules.common.messages import SEVERITIES, Alert, AlertState, Severity

KEY = Key("vibration", "press4", "level")
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC).timestamp()


def rule(**more: Any) -> Rule:
    return Rule.model_validate({"outputs": ["horn"]} | more)


def board(**rules: Rule) -> Board:
    return Board(rules, UTC)


def alert(state: AlertState = "raised", severity: Severity = "critical", source: str = "press4", **more: Any) -> Alert:
    return Alert(
        source=source,
        rule="level",
        severity=severity,
        state=state,
        text="8.1 mm/s",
        sampled=datetime.fromtimestamp(NOON, UTC),
        **more,
    )


class Line:
    """A board, and a clock that the test moves."""

    def __init__(self, **rules: Rule) -> None:
        self.board, self.at, self.number = board(**rules), NOON, 0
        self.heard: list[str] = []

    def take(self, *words: Any, **more: Any) -> None:
        self.number += 1
        self.note(self.board.take(alert(*words, **more), f"a{self.number}", "vibration", self.at))

    def acknowledge(self, key: Key = KEY) -> None:
        self.note(self.board.acknowledge(key, "Ada", self.at))

    def later(self, seconds: float) -> None:
        end = self.at + seconds
        while (soonest := self.board.next_change()) is not None and soonest <= end:
            assert soonest > self.at or soonest == float("-inf"), "time stands still"
            self.at = max(self.at, soonest)
            self.note(self.board.advance(self.at))
        self.at = end

    def note(self, changes: list[boards.Change]) -> None:
        self.heard += [f"{each.rule} {'on' if each.sounds else 'off: ' + each.why}" for each in changes]

    def said(self) -> list[str]:
        heard, self.heard = self.heard, []
        return heard


def test_a_latched_alarm_sounds_until_it_is_acknowledged() -> None:
    line = Line(r=rule())
    line.take()
    line.take("updated")
    assert line.said() == ["r on"]
    line.take("cleared")
    line.later(1e6)
    assert line.said() == []
    line.acknowledge()
    assert line.said() == ["r off: acknowledged"]
    assert line.board.conditions == {}


def test_resolving_releases_a_latch_and_ends_what_stands_by_its_newest_alert() -> None:
    line = Line(r=rule())
    line.take()
    line.take("updated")
    line.note(line.board.resolve(KEY, "a1", "Ada", line.at))  # it has been reported since
    assert line.said() == ["r on"]
    line.note(line.board.resolve(KEY, "a2", "Ada", line.at))
    assert line.said() == ["r off: resolved"]
    assert line.board.conditions == {}
    line.take("updated")
    line.take("cleared")
    assert line.said() == ["r on"]
    line.note(line.board.resolve(KEY, "a1", "Ada", line.at))
    assert line.said() == ["r off: resolved"]


def test_one_that_is_not_latched_ends_with_the_alert() -> None:
    line = Line(r=rule(latch=False))
    line.take()
    line.take("cleared")
    assert line.said() == ["r on", "r off: cleared"]
    assert line.board.conditions == {}
    line.take()
    line.take("updated", "info")
    assert line.said() == ["r on", "r off: cleared"]


def test_what_does_not_fit_makes_no_sound() -> None:
    line = Line(r=rule(severity="critical"), other=rule(sources=["oven"]))
    line.take("raised", "warning")
    assert line.said() == []
    line.take("updated", "critical")
    assert line.said() == ["r on"]


def test_acknowledged_is_silent_until_it_is_over_or_worse() -> None:
    line = Line(r=rule())
    line.take("raised", "warning")
    line.acknowledge()
    line.take("updated", "warning")
    line.later(3600)
    assert line.said() == ["r on", "r off: acknowledged"]
    line.take("updated", "critical")
    assert line.said() == ["r on"]
    line.acknowledge()
    line.take("cleared", "critical")
    line.take("raised", "warning")
    assert line.said() == ["r off: acknowledged", "r on"]


def test_hold_off_puts_off_and_swallows_nothing_that_still_stands() -> None:
    line = Line(r=rule(latch=False, hold_off_s=600))
    line.take()
    line.take("cleared")
    line.later(60)
    line.take()
    assert line.said() == ["r on", "r off: cleared"]
    line.later(539)
    assert line.said() == []
    line.later(1)
    assert line.said() == ["r on"]


def test_what_is_over_before_the_hold_off_is_counted() -> None:
    line = Line(r=rule(latch=False, hold_off_s=600))
    for _ in range(3):
        line.take()
        line.take("cleared")
        line.later(10)
    line.later(3600)
    assert line.said() == ["r on", "r off: cleared"]
    assert line.board.unsounded == {("r", "hold-off"): 2}
    assert line.board.conditions == {}


def test_worse_than_before_does_not_wait_for_the_hold_off() -> None:
    line = Line(r=rule(hold_off_s=600))
    line.take("raised", "warning")
    line.acknowledge()
    line.later(10)
    line.take("updated", "critical")
    assert line.said() == ["r on", "r off: acknowledged", "r on"]


def test_quiet_hours_silence_and_what_still_stands_sounds_after_them() -> None:
    night = QuietHours(begins=time(13), ends=time(14))
    line = Line(r=rule(quiet_hours=[night]))
    line.take()
    line.later(3600)
    assert line.said() == ["r on", "r off: quiet hours"]
    line.later(3600)
    assert line.said() == ["r on"]


def test_what_was_over_before_morning_sounds_when_it_is_latched_and_is_counted_when_not() -> None:
    line = Line(latched=rule(quiet_hours=[{"begins": "11:00", "ends": "14:00"}]), short=rule(latch=False))
    line.board.change_rules(
        line.board._rules | {"short": rule(latch=False, quiet_hours=[{"begins": "11:00", "ends": "14:00"}])}, UTC, NOON
    )
    line.take()
    line.take("cleared")
    assert line.said() == []
    assert line.board.unsounded == {("short", "quiet hours"): 1}
    line.later(7200)
    assert line.said() == ["latched on"]


def test_an_alert_about_one_part_ends_by_itself() -> None:
    line = Line(r=rule(latch=False, item_s=5), kept=rule())
    line.take(item="A7")
    line.later(3)
    line.take(item="A8")
    line.later(4.9)
    assert line.said() == ["r on", "kept on"]
    line.later(0.2)
    assert line.said() == ["r off: cleared"]
    line.acknowledge()
    assert line.said() == ["kept off: acknowledged"]
    assert line.board.conditions == {} or not line.board.find("*")


def test_a_horn_is_worn_after_its_time_and_the_alarm_stays() -> None:
    line = Line(r=rule(longest_s=60))
    line.take()
    line.later(59)
    assert line.said() == ["r on"]
    line.later(1)
    assert line.said() == ["r off: longest"]
    line.take("updated")
    line.later(3600)
    assert line.said() == []
    assert line.board.find("press*") == [KEY]
    line.take("raised")
    assert line.said() == ["r on"]


def test_other_rules_hold_for_what_stands_already() -> None:
    line = Line(r=rule(severity="critical"))
    line.take("raised", "warning")
    line.note(line.board.change_rules({"r": rule(), "more": rule()}, UTC, NOON))
    assert line.said() == ["r on", "more on"]
    line.note(line.board.change_rules({"more": rule()}, UTC, NOON))
    assert line.said() == ["r off: settings"]
    assert line.board.sounding == {"more": 1}


def test_a_clock_that_is_set_back_holds_nothing_off() -> None:
    line = Line(r=rule(latch=False, hold_off_s=600))
    line.take()
    line.take("cleared")
    line.at -= 86_400
    line.take()
    assert line.said() == ["r on", "r off: cleared", "r on"]


def test_memory_is_bounded_and_what_sounds_stays(monkeypatch: Any) -> None:
    monkeypatch.setattr(boards, "MOST", 10)
    line = Line(r=rule(severity="critical"))
    line.take("raised", "critical", "loud")
    for number in range(50):
        line.take("raised", "warning", f"mild{number}")
    assert len(line.board.conditions) == 10
    assert Key("vibration", "loud", "level") in line.board.conditions
    assert line.board.forgotten == 41


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("alert"), st.sampled_from(["raised", "updated", "cleared"]), st.sampled_from(SEVERITIES)),
        st.tuples(st.just("later"), st.sampled_from([0.01, 4, 29, 31, 599, 3601, 7200])),
        st.tuples(st.just("acknowledge")),
    ),
    max_size=15,
)
RULES = st.fixed_dictionaries(
    {
        "severity": st.sampled_from(SEVERITIES),
        "latch": st.booleans(),
        "hold_off_s": st.sampled_from([0, 5, 600]),
        "longest_s": st.sampled_from([0, 30]),
        "quiet_hours": st.sampled_from([[], [{"begins": "13:00", "ends": "15:00"}]]),
    }
)


def play(line: Line, event: tuple[Any, ...]) -> None:
    if event[0] == "alert":
        line.take(event[1], event[2])
    elif event[0] == "later":
        line.later(event[1])
    elif KEY in line.board.conditions:
        line.acknowledge()


@settings(max_examples=60)
@given(events=EVENTS, one=RULES)
def test_on_and_off_come_in_turn_and_nothing_sounds_in_quiet_hours(events: list[Any], one: dict[str, Any]) -> None:
    line = Line(r=rule(**one))
    quiet = rule(**one)
    for event in events:
        play(line, event)
        sounds = line.board.sounding["r"]
        assert [word.split()[1].strip(":") for word in line.heard] == ["on", "off"] * (len(line.heard) // 2) + (
            ["on"] if sounds else []
        )
        assert not (sounds and quiet.quiet(line.at, UTC))
        condition = line.board.conditions.get(KEY)
        if sounds:
            assert condition is not None
            assert condition.acknowledged is None


@settings(max_examples=60)
@given(events=EVENTS, one=RULES)
def test_a_latched_alarm_is_never_lost(events: list[Any], one: dict[str, Any]) -> None:
    line = Line(r=rule(**one | {"latch": True, "longest_s": 0}))
    owed = False
    for event in events:
        play(line, event)
        if event[0] == "alert" and event[1] != "cleared" and line.board._rules["r"].fits(*KEY, event[2]):
            owed = line.board.conditions[KEY].acknowledged is None
        elif event[0] == "acknowledge":
            owed = False
    line.later(86_400 - line.at % 86_400 + 43_200)  # noon of tomorrow: no quiet hours, no hold-off
    if owed:
        assert line.board.sounding["r"] == 1


@settings(max_examples=60)
@given(events=EVENTS, one=RULES, cut=st.integers(0, 30))
def test_a_restart_changes_nothing(events: list[Any], one: dict[str, Any], cut: int) -> None:
    through, broken = Line(r=rule(**one)), Line(r=rule(**one))
    for number, event in enumerate(events):
        play(through, event)
        play(broken, event)
        if number == cut:
            kept = [Condition.decode(each.encode()) for each in broken.board.conditions.values()]
            assert kept == list(broken.board.conditions.values())
            broken.board = Board({"r": rule(**one)}, UTC, kept)
            broken.note(broken.board.change_rules({"r": rule(**one)}, UTC, broken.at))
    assert broken.heard == through.heard


def test_what_is_kept_is_a_copy() -> None:
    condition = Condition(KEY, "a1", "critical", "text", "", NOON, item=False)
    assert Condition.decode(condition.encode()) == replace(condition)
