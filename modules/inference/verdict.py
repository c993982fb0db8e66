"""From a model's probabilities to a verdict. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from modules.inference.card import Card

UNDETERMINED: Final = "undetermined"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a model says of one picture or of a source's recent windows."""

    label: str
    ok: bool
    probability: float  # of the label; of not being OK where the type is undetermined
    not_ok: float  # probability that something is wrong: the score that is watched for drift
    uncertain: bool


def judge(probabilities: Sequence[float], card: Card) -> Verdict:
    """The verdict on one vector of probabilities, in the order of the card's labels."""
    ok = card.ok_index
    rule = card.decision
    leader = max((i for i in range(len(probabilities)) if i != ok), key=lambda i: probabilities[i])
    if ok is None:
        top = probabilities[leader]
        sure = top >= rule.confident
        label = card.labels[leader] if sure else UNDETERMINED
        return Verdict(label, ok=False, probability=top, not_ok=top, uncertain=not sure)
    not_ok = min(1.0, max(0.0, 1.0 - probabilities[ok]))
    unsure = rule.uncertain[0] <= not_ok < rule.uncertain[1]
    if not_ok < rule.threshold:
        return Verdict(card.labels[ok], ok=True, probability=1.0 - not_ok, not_ok=not_ok, uncertain=unsure)
    share = probabilities[leader] / not_ok if not_ok > 0 else 1.0
    if share < rule.confident:
        return Verdict(UNDETERMINED, ok=False, probability=not_ok, not_ok=not_ok, uncertain=True)
    return Verdict(card.labels[leader], ok=False, probability=probabilities[leader], not_ok=not_ok, uncertain=unsure)
