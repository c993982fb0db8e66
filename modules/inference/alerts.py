"""The alerts of this module: one per picture that is not OK, one per change of a source's condition or drift. Pure."""

from datetime import datetime

from modules.common.messages import Alert
from modules.inference.card import Card
from modules.inference.decision import Step
from modules.inference.drift.watching import SCORE, Change
from modules.inference.verdict import UNDETERMINED, Verdict


def of_picture(card: Card, source: str, item: str | None, verdict: Verdict, captured: datetime) -> Alert:
    """The alert of one picture."""
    what = f"{item} on {source}" if item else source
    return Alert(
        source=source,
        rule=card.name,
        severity=card.decision.severity,
        state="raised",
        text=f"{what}: {verdict.label} ({verdict.probability:.0%})",
        sampled=captured,
        advice=card.decision.advice,
        label=verdict.label,
        probability=round(verdict.probability, 4),
        item=item,
        evidence={"model": card.id, "not_ok": round(verdict.not_ok, 4)},
    )


def of_source(card: Card, source: str, result: Step, before: str | None, sampled: datetime) -> Alert:
    """The alert of a condition that `result` raised, updated or cleared; `before` is the label it had."""
    assert result.change is not None
    verdict = result.verdict
    if result.change == "cleared":
        text = f"{source}: {verdict.label} again, was {_words(before or 'not OK')}"
    else:
        text = f"{source}: {_words(verdict.label)} ({verdict.probability:.0%})"
    return Alert(
        source=source,
        rule=card.name,
        severity=card.decision.severity if result.change != "cleared" else "info",
        state=result.change,
        text=text,
        sampled=sampled,
        advice=card.decision.advice if result.change != "cleared" else None,
        label=verdict.label,
        probability=round(verdict.probability, 4),
        evidence={
            "model": card.id,
            "not_ok": round(verdict.not_ok, 4),
            "windows": len(result.condition.recent),
            "votes": sum(result.condition.votes),
            "of": len(result.condition.votes),
        },
    )


def of_drift(card: Card, source: str, change: Change, sampled: datetime) -> Alert:
    """The alert of a source that has become unlike what the model knows, or is like it again."""
    found = change.evidence
    what = "its score has" if found["statistic"] == SCORE else f"the {found['statistic']} of its inputs has"
    if change.raised:
        text = f"{source}: {what} drifted from what {card.id} knows (PSI {found['psi']:.2f})"
    else:
        text = f"{source}: inputs and scores are again as {card.id} knows them"
    return Alert(
        source=source,
        rule=f"{card.name} drift",
        severity="warning" if change.raised else "info",
        state="raised" if change.raised else "cleared",
        text=text,
        sampled=sampled,
        advice="Look at camera, light and sensor first; then at the samples, and teach the model."
        if change.raised
        else None,
        value=found["distance"],
        limit=found["critical"],
        evidence={"model": card.id, **found},
    )


def _words(label: str) -> str:
    return "a fault of undetermined type" if label == UNDETERMINED else label.replace("_", " ")
