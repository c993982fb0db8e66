"""docs/scale.md says what docs/reduction.md and the quotas come to, and nothing older."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench._scale import GATEWAYS, HOURS, REDUCTION, TIERS, Hour, daily, needs, tables

DOCS = Path(__file__).parents[2] / "docs"


def test_the_tables_are_in_the_document_as_they_are_computed() -> None:
    text = (DOCS / "scale.md").read_text(encoding="utf-8")
    for line in tables():
        assert line in text, f"docs/scale.md is stale; put in: {line}"


def test_the_measured_hour_is_read_from_the_document_of_the_bench() -> None:
    hour = Hour.measured(REDUCTION.read_text(encoding="utf-8"))
    assert hour.went < hour.came
    with pytest.raises(ValueError, match="does not say"):
        Hour.measured("nothing here")


def test_units_cover_the_day_and_no_unit_is_idle() -> None:
    hour = Hour(came=1e9, went=1e6, metered=1000)
    assert daily(hour) == 1000 * HOURS * GATEWAYS
    for need, tier in zip(needs(hour), TIERS, strict=True):
        assert (need.units - 1) * tier.messages < daily(hour) <= need.units * tier.messages
        assert (need.hubs - 1) * tier.most < need.units <= need.hubs * tier.most
        assert need.price == need.units * tier.price
    assert hour.raw().metered == pytest.approx(1e9 / 4096, abs=1)
