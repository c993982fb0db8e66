"""Many windows of one source, one condition: raised, updated, cleared. Pure: a state goes in, a state comes out.

A window votes 'not OK' when its own probability passes the card's threshold. k such votes among the last n raise the
condition, so that one odd window does nothing; no more than `clear_k` clear it. The label is judged on the mean of the
log-probabilities of the recent windows that voted 'not OK': evidence adds up, and a type that was named once changes
only when another has led on `steady` windows in a row.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from modules.common.messages import AlertState
from modules.inference.card import Card
from modules.inference.verdict import UNDETERMINED, Verdict, judge

_FLOOR: Final = 1e-6  # of a probability, before its logarithm: one window alone never decides
STEADY: Final = 3


@dataclass(frozen=True, slots=True)
class Condition:
    """What is known of one source."""

    recent: tuple[tuple[float, ...], ...] = ()  # log-probabilities of the last windows, oldest first
    votes: tuple[bool, ...] = ()  # whether each of the last n windows was not OK
    raised: str | None = None  # the label it stands raised with
    rival: str | None = None  # another label that has led since
    rival_for: int = 0  # windows in a row


@dataclass(frozen=True, slots=True)
class Step:
    """After one window: the new state, the verdict on the recent windows, and what to tell (None: nothing)."""

    condition: Condition
    verdict: Verdict
    change: AlertState | None


def step(condition: Condition, probabilities: Sequence[float], card: Card) -> Step:
    """Take one window's probabilities into account."""
    rule = card.decision
    logs = tuple(math.log(max(p, _FLOOR)) for p in probabilities)
    # A model with other labels may have taken over: what the one before said of its own is no part of the mean.
    recent = tuple(each for each in (*condition.recent, logs) if len(each) == len(logs))[-rule.average :]
    votes = (*condition.votes, not judge(probabilities, card).ok)[-rule.of_n :]
    count = sum(votes)
    condition = replace(condition, recent=recent, votes=votes)
    verdict = judge(mean_probabilities(recent), card)
    if condition.raised is None:
        if count < rule.raise_k:
            return Step(_forget_rival(condition), _ok(verdict, card), None)
        verdict = _not_ok(recent, card)
        return Step(replace(condition, raised=verdict.label, rival=None, rival_for=0), verdict, "raised")
    if count <= rule.clear_k and len(votes) == rule.of_n:
        return Step(replace(_forget_rival(condition), raised=None), _ok(verdict, card), "cleared")
    return _still_raised(condition, _not_ok(recent, card))


def mean_probabilities(recent: Sequence[Sequence[float]]) -> list[float]:
    """Probabilities whose logarithms are the means of the given ones, scaled to sum to one."""
    means = [math.fsum(column) / len(recent) for column in zip(*recent, strict=True)]
    top = max(means)
    weights = [math.exp(value - top) for value in means]
    total = math.fsum(weights)
    return [weight / total for weight in weights]


def _still_raised(condition: Condition, verdict: Verdict) -> Step:
    label = verdict.label
    if label in (condition.raised, UNDETERMINED):
        # What was named stays named while nothing else leads.
        return Step(_forget_rival(condition), verdict, None)
    running = condition.rival_for + 1 if label == condition.rival else 1
    if condition.raised != UNDETERMINED and running < STEADY:
        return Step(replace(condition, rival=label, rival_for=running), verdict, None)
    return Step(replace(_forget_rival(condition), raised=label), verdict, "updated")


def _forget_rival(condition: Condition) -> Condition:
    return replace(condition, rival=None, rival_for=0)


def _ok(verdict: Verdict, card: Card) -> Verdict:
    """The verdict while nothing is raised: too few votes are no finding yet, but worth a look when the mean says so."""
    if verdict.ok:
        return verdict
    return Verdict(card.ok_label or "", ok=True, probability=1 - verdict.not_ok, not_ok=verdict.not_ok, uncertain=True)


def _not_ok(recent: Sequence[Sequence[float]], card: Card) -> Verdict:
    """The verdict while raised: the type by the recent windows with the OK label left out."""
    mean = mean_probabilities(recent)
    ok = card.labels.index(card.ok_label) if card.ok_label else -1
    faults = {i: p for i, p in enumerate(mean) if i != ok}
    leader = max(faults, key=lambda i: faults[i])
    total = sum(faults.values())
    share = faults[leader] / total if total > 0 else 0.0
    label = card.labels[leader] if share >= card.decision.confident else UNDETERMINED
    not_ok = min(1.0, total)
    return Verdict(label, ok=False, probability=share, not_ok=not_ok, uncertain=label == UNDETERMINED)
