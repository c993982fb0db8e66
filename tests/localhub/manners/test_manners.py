"""The differences as data, and the document that explains them: each knows all of the other."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from localhub.manners import EDGEHUB, LOCALHUB

DOCUMENT = Path(__file__).parents[3] / "docs/decisions/localhub-differences.md"


def test_the_two_differ_in_everything() -> None:
    assert [each.name for each in fields(LOCALHUB) if getattr(LOCALHUB, each.name) == getattr(EDGEHUB, each.name)] == []


def test_every_row_of_the_document_says_whether_it_is_switched_and_every_switch_has_a_row() -> None:
    rows = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    bodies = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows if not row.startswith("| | ")]
    named = [re.match(r"`(\w+)`|-$", body[-1]) for body in bodies]
    assert [body[0] for body, found in zip(bodies, named, strict=True) if found is None] == []
    assert {found[1] for found in named if found and found[1]} == {each.name for each in fields(LOCALHUB)}
