"""The pure parts: latency, conditions, roster, verdict, trends."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.status.conditions import Condition, Conditions
from modules.status.latency import Latencies
from modules.status.roster import Roster
from modules.status.trends import Trends
from modules.status.verdict import judge

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)


@given(st.lists(NUMBERS, min_size=1, max_size=60), st.integers(1, 40), st.floats(0.001, 1))
def test_percentiles_are_exact_over_the_newest(values: list[float], keep: int, share: float) -> None:
    latencies = Latencies(keep)
    for value in values:
        latencies.add(value)
    kept = sorted(values[-keep:])
    found = latencies.percentile(share)
    assert found in kept
    assert sum(value <= found for value in kept) >= share * len(kept) - 1e-9
    assert sum(value < found for value in kept) < share * len(kept) + 1e-9
    assert latencies.count == len(values)


def test_no_alert_has_no_latency() -> None:
    assert Latencies().percentile(0.5) is None


def holds(source: str = "press3", **changed: Any) -> Condition:
    facts: dict[str, Any] = {
        "alert_id": source,
        "source": source,
        "rule": "level",
        "severity": "critical",
        "state": "raised",
        "text": "hot",
        "advice": "stop it",
        "since": 100.0,
        "seen": 100.0,
    }
    return Condition(**facts | changed)


def test_a_condition_holds_until_cleared_and_keeps_its_beginning() -> None:
    conditions = Conditions()
    conditions.take(holds(severity="warning"))
    conditions.take(holds(state="updated", since=200.0, seen=200.0, alert_id="2"))
    (active,) = conditions.active(1e6, 60)
    assert (active.since, active.seen, active.severity, active.alert_id) == (100, 200, "critical", "2")
    conditions.take(holds(state="cleared"))
    assert conditions.active(1e6, 60) == []


def test_two_modules_do_not_speak_for_each_other() -> None:
    conditions = Conditions()
    conditions.take(holds(module="inference"))
    conditions.take(holds(module="vibration", severity="warning"))
    conditions.take(holds(module="vibration", state="cleared"))
    (active,) = conditions.active(101, 60)
    assert (active.module, active.severity) == ("inference", "critical")


def test_an_alert_about_one_part_is_over_by_itself() -> None:
    conditions = Conditions()
    conditions.take(holds(item=True))
    assert conditions.active(159, 60)
    assert not conditions.active(161, 60)


def test_the_worst_comes_first_and_what_is_handled_last() -> None:
    conditions = Conditions()
    for condition in (
        holds("a", severity="warning"),
        holds("b"),
        holds("c", since=300.0),
        holds("d", item=True),
        holds("e"),
    ):
        conditions.take(condition)
    conditions.acknowledge("e")
    assert [each.source for each in conditions.active(101, 60)] == ["c", "b", "d", "a", "e"]


@pytest.mark.parametrize(
    ("conditions", "modules", "level", "headline"),
    [
        ([], {}, "unknown", "Waiting"),
        ([], {"camera": "ok"}, "ok", "all right"),
        ([holds()], {"camera": "ok"}, "stop", "Act now: press3"),
        ([holds("a"), holds("b"), holds("c")], {"camera": "ok"}, "stop", "a, b and 1 more"),
        ([holds(acknowledged=True)], {"camera": "ok"}, "ok", "being handled"),
        ([holds(severity="warning")], {"camera": "ok"}, "warn", "Look soon: press3"),
        ([holds(severity="info")], {"camera": "ok"}, "ok", "all right"),
        ([], {"camera": "silent", "cache": "ok"}, "warn", "Not watched in full: camera"),
        ([holds(severity="warning")], {"camera": "fail"}, "warn", "Not watched in full"),
        ([holds()], {"camera": "silent"}, "stop", "Act now"),
        ([], {"camera": "warn"}, "warn", "with a note: camera"),
    ],
)
def test_the_verdict_is_one_word_and_one_sentence(
    conditions: list[Condition], modules: dict[str, str], level: str, headline: str
) -> None:
    verdict = judge(conditions, modules, {})
    assert verdict.level == level
    assert headline in verdict.headline


def test_a_hall_without_power_is_told_in_few_words() -> None:
    everything = [holds(f"hall/{number}") for number in range(10_000)]
    verdict = judge(everything, {"vibration": "ok"}, {})
    assert verdict.count == 10_000
    assert (len(verdict.names), len(verdict.details)) == (50, 50)
    assert verdict.headline == "Act now: hall/0, hall/1 and 9998 more"


def beat(started: str = "1", received: float = 0, cpu: float = 0, **changed: Any) -> dict[str, Any]:
    return {
        "module": "camera",
        "started": started,
        "state": "ok",
        "counters": {"received": received},
        "process": {"cpu_s": cpu},
    } | changed


def test_rates_come_from_two_heartbeats_and_a_restart_begins_anew() -> None:
    roster = Roster()
    roster.hear(beat(), 10)
    member = roster.hear(beat(received=50, cpu=0.5), 15)
    assert (member.rates["received"], member.cpu_share) == (10, 0.1)
    assert roster.hear(beat(received=51, cpu=0.5), 15.1).rates["received"] == 10
    restarted = roster.hear(beat(started="2", received=3), 20)
    assert (restarted.starts, restarted.rates) == (2, {})


def test_silence_is_a_state_of_its_own() -> None:
    member = Roster().hear(beat(state="fail", text="disk full"), 10)
    assert (member.state(12, 15), member.text(12, 15)) == ("fail", "disk full")
    assert (member.state(26, 15), member.text(26, 15)) == ("silent", "no heartbeat for 16 s")


PARTS = st.none() | st.booleans() | st.floats() | st.text(max_size=3)


@given(PARTS | st.dictionaries(st.sampled_from(["received", "cpu_s", "ok", "x"]), PARTS, max_size=3))
def test_no_heartbeat_breaks_the_roster(part: Any) -> None:
    roster = Roster()
    for _ in range(2):
        member = roster.hear(beat(state=part, text=part, counters=part, process=part, facts=part, settings=part), 10)
        assert member.state(11, 15) in {"ok", "warn", "fail"}
        assert isinstance(member.text(11, 15), str)
        assert member.facts is not None


def test_trends_are_bounded() -> None:
    trends = Trends()
    for number in range(200):
        trends.add("a", number / 3)
    assert len(trends.of("a")) == 120
    assert trends.of("a")[-1] == 66.3333
    for number in range(600):
        trends.add(str(number), 1)
    assert trends.of("a") == []
    assert trends.of("599") == [1]
