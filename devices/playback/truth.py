"""Verdicts against labels. Pure: what arrived at the cloud on one side, the data set's labels on the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from devices.dataset import PictureSet

NORMAL = "normal"
# The Bearing Data Center's names of faults, and the model's.
FAULTS = {"IR": "inner_race", "B": "ball", "OR": "outer_race"}
GOOD_CLASSES = frozenset({"free", "ok", "good", "normal"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the line said of one recording: the fault it named, and of how many windows."""

    recording: str
    known: str | None
    said: str

    @property
    def right(self) -> bool:
        """The fault was named, or the normal machine left in peace."""
        return self.known == self.said

    @property
    def false_alarm(self) -> bool:
        """A machine known to be well was said to have a fault."""
        return self.known == NORMAL and self.said != NORMAL


@dataclass(frozen=True, slots=True)
class ClassScore:
    """How many pictures of one class were judged right."""

    pictures: str
    label: str
    right: int
    total: int


def model_alerts(arrivals: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The bodies of the alerts that a model decided, first arrivals only, in their order."""
    found: dict[str, dict[str, Any]] = {}
    for arrival in arrivals:
        facts = arrival["properties"]
        if facts.get("kind") == "alert" and facts.get("model") and isinstance(arrival["body"], dict):
            found.setdefault(arrival["message_id"], arrival["body"])
    return list(found.values())


def bearing_verdicts(alerts: Sequence[Mapping[str, Any]], labels: Mapping[str, str | None]) -> list[Verdict]:
    """The last word on each recording: the label of its last alert that was not cleared; ``normal`` without any."""
    said: dict[str, str] = {}
    for alert in alerts:
        if alert.get("item") is None and alert.get("source") in labels:
            cleared = alert.get("state") == "cleared"
            said[str(alert["source"])] = NORMAL if cleared else str(alert.get("label"))
    return [
        Verdict(name, None if known is None else FAULTS.get(known, known), said.get(name, NORMAL))
        for name, known in labels.items()
    ]


def picture_scores(alerts: Sequence[Mapping[str, Any]], sets: Sequence[PictureSet]) -> list[ClassScore]:
    """Right verdicts per set and class.

    A good part is right when no alert named it. A defect in a set that has good parts is right when an alert named it
    (the question there is good or not); in a set of defects only, when the alert's label is its class.
    """
    said = {
        (str(alert["source"]).removeprefix("camera/"), str(alert["item"])): str(alert.get("label"))
        for alert in alerts
        if alert.get("item") is not None
    }
    scores = []
    for each in sets:
        sorting = bool(GOOD_CLASSES & {label.lower() for label in each.labels})
        counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for file in each.files:
            verdict = said.get((each.name, file.path))
            if file.label.lower() in GOOD_CLASSES:
                right = verdict is None
            else:
                right = verdict is not None if sorting else verdict == file.label
            counts[file.label][0] += right
            counts[file.label][1] += 1
        scores += [ClassScore(each.name, label, *counts[label]) for label in sorted(counts)]
    return scores


@dataclass(frozen=True, slots=True)
class Passage:
    """Ids given out by the modules for the cloud, against what arrived there."""

    sent: int
    arrivals: int
    distinct: int
    missing: int

    @property
    def repeats(self) -> int:
        """Arrivals beyond the first of each id."""
        return self.arrivals - self.distinct


def passage(sent: Iterable[str], arrived: Iterable[str]) -> Passage:
    """Count ids: ``sent`` by the modules' own ledgers, ``arrived`` one for each arrival."""
    given, came = set(sent), list(arrived)
    return Passage(len(given), len(came), len(set(came)), len(given - set(came)))
