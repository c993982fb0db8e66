import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.inference.card import Card
from modules.inference.decision import STEADY, Condition, mean_probabilities, step

NORMAL, INNER, OUTER = (0.98, 0.01, 0.01), (0.05, 0.9, 0.05), (0.05, 0.05, 0.9)


def card(**decision: object) -> Card:
    rule = {"average": 6, "raise_k": 3, "of_n": 5, "clear_k": 0, "confident": 0.5, **decision}
    return Card.model_validate(
        {
            "format": 1,
            "name": "b",
            "version": "1.0.0",
            "title": "b",
            "task": "waveform",
            "sources": ["*"],
            "input": {"name": "x", "shape": [3]},
            "output": {"scores": "y"},
            "prepare": {"kind": "wave", "seconds": 1, "hop": 1, "rate_hz": [1, 2]},
            "labels": ["normal", "inner", "outer"],
            "ok_label": "normal",
            "decision": rule,
        }
    )


def play(rows: Sequence[tuple[float, ...]], rules: Card) -> Sequence[tuple[str | None, str]]:
    condition = Condition()
    told = []
    for row in rows:
        result = step(condition, row, rules)
        condition = result.condition
        told.append((result.change, result.verdict.label))
    return told


def changes(rows: Sequence[tuple[float, ...]], rules: Card) -> list[str]:
    return [change for change, _ in play(rows, rules) if change]


def test_one_odd_window_raises_nothing() -> None:
    assert changes([NORMAL, NORMAL, OUTER, NORMAL, NORMAL, NORMAL, INNER, NORMAL], card()) == []


def test_k_of_n_windows_raise_once_with_the_label_of_the_evidence() -> None:
    told = play([NORMAL, OUTER, OUTER, OUTER, OUTER], card(average=3))
    assert told[3] == ("raised", "outer")
    assert [change for change, _ in told].count("raised") == 1


def test_another_label_must_lead_for_a_while() -> None:
    rules = card(average=2)
    told = play([OUTER] * 4 + [INNER] * 6, rules)
    updates = [number for number, (change, _) in enumerate(told) if change == "updated"]
    assert len(updates) == 1
    assert updates[0] >= 4 + STEADY - 1
    assert told[updates[0]][1] == "inner"


def test_cleared_when_all_recent_windows_are_normal_again() -> None:
    told = play([OUTER] * 5 + [NORMAL] * 5, card())
    assert [change for change, _ in told if change] == ["raised", "cleared"]
    assert told[-1] == ("cleared", "normal")


def test_contradicting_types_are_undetermined() -> None:
    told = play([INNER, OUTER, INNER, OUTER], card(confident=0.8))
    assert ("raised", "undetermined") in told


def test_what_was_raised_before_a_restart_is_not_raised_again() -> None:
    result = step(Condition(raised="outer"), OUTER, card())
    assert result.change is None
    assert result.verdict.label == "outer"


rows = st.lists(
    st.tuples(st.floats(0.001, 1), st.floats(0.001, 1), st.floats(0.001, 1)).map(
        lambda row: tuple(value / math.fsum(row) for value in row)
    ),
    max_size=60,
)


@given(rows)
def test_raised_and_cleared_alternate_and_updates_stand_between(series: list[tuple[float, ...]]) -> None:
    standing = False
    for change in changes(series, card()):
        assert standing == (change != "raised")
        standing = change != "cleared"


@given(rows)
def test_the_verdict_agrees_with_the_condition(series: list[tuple[float, ...]]) -> None:
    condition = Condition()
    for row in series:
        result = step(condition, row, card())
        condition = result.condition
        assert result.verdict.ok == (condition.raised is None)
        assert 0 <= result.verdict.probability <= 1 + 1e-9
        assert len(condition.recent) <= 6
        assert len(condition.votes) <= 5


@given(rows.filter(bool))
def test_mean_probabilities_are_probabilities(series: list[tuple[float, ...]]) -> None:
    mean = mean_probabilities([[math.log(value) for value in row] for row in series])
    assert math.fsum(mean) == pytest.approx(1)
    if len(series) == 1:
        assert mean == pytest.approx(list(series[0]))
