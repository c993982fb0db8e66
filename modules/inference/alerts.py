"""The alerts of this module: one per picture that is not OK, and one per change of a source's condition. Pure."""

from datetime import datetime

from modules.common.messages import Alert
from modules.inference.card import Card
from modules.inference.decision import Step
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


def _words(label: str) -> str:
    return "a fault of undetermined type" if label == UNDETERMINED else label.replace("_", " ")
