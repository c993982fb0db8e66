"""Every source of every model against the model's card: which drifts, by what, and which inputs show it. Pure.

Watched are the score (the probability of not being OK) and each statistic of the input that the card has a reference
for. The false-alarm rate is one of the source: it is divided by the number of its statistics (Bonferroni).
"""

import math
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from modules.inference.card import Card, WavePrepare
from modules.inference.drift.core import Finding, Reference, Window
from modules.inference.drift.settings import DriftRule
from modules.inference.looks import histograms

SCORE: Final = "score"
_SOURCES: Final = 5_000
_OF_CARD: Final = 1000  # values behind a reference whose card does not say how many
_LEARNT: Final = 5  # windows that make a line's own reference
_BINS: Final = 20
_OUTSIDE: Final = 0.005  # of the usual range, each side: `looks.usual` takes 0.5 to 99.5 %, and widens it


@dataclass(slots=True)
class Watched:
    """One model and source."""

    windows: dict[str, Window]
    stride: int  # windows of a waveform overlap: only each so manieth is new
    seen: int = 0
    first: list[dict[str, float]] = field(default_factory=list)  # inputs while a line's own reference is learnt
    raised: bool = False  # whether an alert stands
    drifting: dict[str, Finding] = field(default_factory=dict)  # by statistic, of the last whole window

    def shows(self, values: Mapping[str, float]) -> bool:
        """Whether an input lies where a drifting statistic has more than it had."""
        return any(
            self.windows[name].reference.bin_of(values[name]) in finding.grown
            for name, finding in self.drifting.items()
            if name in values
        )


@dataclass(frozen=True, slots=True)
class Change:
    """A source began to drift, or stopped."""

    raised: bool
    evidence: dict[str, Any]


class Watching:
    """What is watched, by model and source; those that have been quiet longest make room."""

    def __init__(self, known: Mapping[str, Any] | None = None) -> None:
        """`known`: what `remembered` gave before a restart."""
        self._watched: OrderedDict[tuple[str, str], Watched] = OrderedDict()
        self._stood: set[str] = set((known or {}).get("raised", ()))
        self._learnt: dict[str, dict[str, Any]] = dict((known or {}).get("learnt", {}))  # by `MODEL SOURCE`
        self._compared_with = "card"

    def take(
        self, card: Card, source: str, score: float, looks: Mapping[str, float], rule: DriftRule
    ) -> tuple[Change | None, bool]:
        """One judged input more: what has changed, and whether this input is one of those that show a drift."""
        if rule.reference != self._compared_with:
            self._watched.clear()
            self._compared_with = rule.reference
        key = (card.id, source)
        watched = self._watched.pop(key, None) or self._begin(card, source)
        self._watched[key] = watched
        if len(self._watched) > _SOURCES:
            self._watched.popitem(last=False)
        values = {SCORE: score, **looks}
        watched.seen += 1
        if self._compared_with == "line" and not watched.windows:
            self._learn(card, source, watched, values, rule.window * _LEARNT * watched.stride)
            return None, False
        if (watched.seen - 1) % watched.stride:
            return None, watched.shows(values)
        rate = rule.rate / max(1, len(watched.windows))
        for name, window in watched.windows.items():
            if name not in values or not math.isfinite(values[name]):
                continue
            finding = window.take(values[name], n=rule.window, rate=rate, psi=rule.psi)
            if finding is None:
                continue
            watched.drifting.pop(name, None)
            if finding.drifts:
                watched.drifting[name] = finding
        return _change(watched), watched.shows(values)

    def document(self, model: str, source: str) -> dict[str, Any]:
        """The last whole window of each statistic, for scores."""
        watched = self._watched.get((model, source))
        found = watched.windows.items() if watched is not None else ()
        return {
            name: {
                "psi": round(window.last.psi, 4),
                "distance": round(window.last.distance, 4),
                "critical": round(window.last.critical, 4),
                "window": window.last.n,
                "drifts": window.last.drifts,
            }
            for name, window in found
            if window.last is not None
        }

    def remembered(self) -> dict[str, Any]:
        """What is to be known after a restart: alerts that stand, and references that were learnt."""
        return {"raised": self.raised, "learnt": self._learnt}

    @property
    def raised(self) -> list[str]:
        """`MODEL SOURCE` of each for which an alert stands."""
        here = {f"{model} {source}" for (model, source), each in self._watched.items() if each.raised}
        return sorted(here | self._stood)

    def drifting(self) -> dict[str, list[str]]:
        """The statistics that drift now, by `MODEL SOURCE`."""
        return {
            f"{model} {source}": sorted(each.drifting)
            for (model, source), each in self._watched.items()
            if each.drifting
        }

    def _begin(self, card: Card, source: str) -> Watched:
        name = f"{card.id} {source}"
        raised = name in self._stood
        self._stood.discard(name)
        stride = math.ceil(1 / card.prepare.hop) if isinstance(card.prepare, WavePrepare) else 1
        if self._compared_with == "card":
            found = references(card)
        else:
            found = {each: Reference(**told) for each, told in self._learnt.get(name, {}).items()}
        return Watched({each: Window(told) for each, told in found.items()}, stride, raised=raised)

    def _learn(self, card: Card, source: str, watched: Watched, values: Mapping[str, float], enough: int) -> None:
        """The first inputs of a source make its own reference."""
        watched.first.append(dict(values))
        if len(watched.first) < enough:
            return
        seen, watched.first = watched.first[:: watched.stride], []
        told: dict[str, Any] = dict(histograms(seen, _BINS // 2))
        edges = [number / _BINS for number in range(_BINS + 1)]
        score = Reference(tuple(edges), (1.0,) * _BINS, 1)
        counts = [0] * _BINS
        for each in seen:
            counts[score.bin_of(each[SCORE])] += 1
        told[SCORE] = {"edges": edges, "shares": [count / len(seen) for count in counts]}
        learnt = {name: {**each, "count": len(seen)} for name, each in told.items()}
        self._learnt[f"{card.id} {source}"] = learnt
        while len(self._learnt) > _SOURCES:
            del self._learnt[next(iter(self._learnt))]
        watched.windows = {name: Window(Reference(**each)) for name, each in learnt.items()}


def references(card: Card) -> dict[str, Reference]:
    """What a card has to compare with, by statistic."""
    told = card.reference
    count = told.count or _OF_CARD
    found: dict[str, Reference] = {}
    if len(told.shares) > 1 and sum(told.shares) > 0:
        found[SCORE] = Reference(told.edges, told.shares, count)
    for name, (low, high) in told.input.items():
        if low < high:
            edges = (-math.inf, low, math.nextafter(high, math.inf), math.inf)
            found[name] = Reference(edges, (_OUTSIDE, 1 - 2 * _OUTSIDE, _OUTSIDE), count)
    for name, each in told.looks.items():
        found[name] = Reference(each.edges, each.shares, count)
    return found


def _change(watched: Watched) -> Change | None:
    """Raised by the first statistic that drifts, cleared when none does any more."""
    now = watched.drifting
    if now and not watched.raised:
        watched.raised = True
        name = max(now, key=lambda each: now[each].distance / now[each].critical)
        return Change(raised=True, evidence=now[name].evidence(name, watched.windows[name].reference))
    found = {name: window.last for name, window in watched.windows.items() if window.last is not None}
    if now or not watched.raised or len(found) < len(watched.windows):
        return None  # after a restart each statistic is to have had a whole window first
    watched.raised = False
    name = max(found, key=lambda each: found[each].distance / found[each].critical)
    return Change(raised=False, evidence=found[name].evidence(name, watched.windows[name].reference))
