"""The packages in use: their cards, what became of loading them, and which one judges a source. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from modules.inference.card import Card
from modules.inference.settings import MODELS, Package

STEADY: Final = 100  # answers in a row after which what went wrong before is history


@dataclass(slots=True)
class Entry:
    """One package of the settings."""

    name: str
    wanted: Package
    card: Card | None = None
    loaded: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    failures: int = 0  # in a row
    lately: int = 0  # failures since it last answered STEADY times in a row
    answers: int = 0  # in a row

    @property
    def usable(self) -> bool:
        """Whether it may judge."""
        return self.card is not None and not self.error

    def loads(self, card: Card, found: Mapping[str, Any]) -> None:
        """A model is at work."""
        self.card, self.loaded, self.error = card, found, ""

    def answered(self) -> None:
        """It gave an answer."""
        self.failures = 0
        self.answers += 1
        if self.answers >= STEADY:
            self.lately = 0

    def failed(self) -> None:
        """It gave none, or one that is none."""
        self.failures += 1
        self.lately += 1
        self.answers = 0

    def forgiven(self) -> None:
        """Another model stands in its place."""
        self.failures = self.lately = self.answers = 0

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.wanted.path if self.wanted.path.is_absolute() else MODELS / self.wanted.path

    @property
    def sources(self) -> tuple[str, ...]:
        """Patterns of the sources it judges."""
        return self.wanted.sources or (self.card.sources if self.card else ())

    def summary(self) -> dict[str, Any]:
        """For health, reported properties and the view."""
        known = {} if self.card is None else {"version": self.card.version, "task": self.card.task}
        return {"state": "ok" if self.usable else "fail", **known, **self.loaded, "error": self.error}


def adapted(card: Card, wanted: Package) -> Card:
    """The card with what the settings put in its place."""
    changes: dict[str, Any] = {
        key: value
        for key, value in (("threshold", wanted.threshold), ("severity", wanted.severity))
        if value is not None
    }
    return card.model_copy(update={"decision": card.decision.model_copy(update=changes)}) if changes else card


def choose(entries: Mapping[str, Entry], task: str, source: str) -> Entry | None:
    """The first package for this task whose patterns match the source; one that failed comes last."""
    fitting = [
        entry
        for entry in entries.values()
        if entry.card is not None
        and entry.card.task == task
        and any(fnmatchcase(source, pattern) for pattern in entry.sources)
    ]
    return next((entry for entry in fitting if entry.usable), fitting[0] if fitting else None)
