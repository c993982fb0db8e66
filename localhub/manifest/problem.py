"""A complaint about a manifest: where, what, and what to do."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


class Severity(enum.StrEnum):
    """An error is refused somewhere or does not do what it says; a warning works, but rarely as meant."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a file; line and column from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding of a rule."""

    severity: Severity
    rule: str
    place: Place
    message: str
    hint: str = ""

    def __str__(self) -> str:
        hint = f"; {self.hint}" if self.hint else ""
        return f"{self.place}: {self.severity}: {self.message}{hint} [{self.rule}]"

    def to_json(self) -> dict[str, Any]:
        """The finding as one JSON object."""
        return {
            "severity": str(self.severity),
            "rule": self.rule,
            "file": self.place.file,
            "line": self.place.line,
            "column": self.place.column,
            "message": self.message,
            "hint": self.hint,
        }


def error(rule: str, place: Place, message: str, hint: str = "") -> Problem:
    """A finding that must be mended."""
    return Problem(Severity.ERROR, rule, place, message, hint)


def warning(rule: str, place: Place, message: str, hint: str = "") -> Problem:
    """A finding worth a look."""
    return Problem(Severity.WARNING, rule, place, message, hint)


class ManifestError(ValueError):
    """A manifest cannot be used. `problems` says each reason with file, line, column and what to do."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))
