"""A gateway that has lost its date: the whole module in 1970, as processes see it under libfaketime."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from localhub.agent import wrongclock
from tests.modules.inference.updates.test_kills import GOOD, LAST, Life

NEXT = "picture/made-up/1.3.0"
LATE_S = 180.0  # after the beginning of 1970: a gateway without a battery, some minutes after it was switched on


@pytest.mark.soak
def test_in_1970_an_update_waits_and_says_so_and_what_was_verified_comes_up(
    operator: Any, line: tuple[dict[str, Any], Path], tmp_path: Path
) -> None:
    try:
        facts = wrongclock.facts(LATE_S - time.time(), os.environ)
    except wrongclock.NoWrongClockError as error:
        pytest.skip(str(error))
    settings, picture = line
    first = Life(tmp_path / "state", {**settings, "versions": {"tile": GOOD}}, picture)
    try:
        assert first.until(lambda said: said == LAST), first.lines
    finally:
        first.end()
    operator.publish("1.3.0")
    lost = Life(tmp_path / "state", {**settings, "versions": {"tile": NEXT}}, picture, **facts)
    try:
        assert lost.until(lambda said: said == LAST), lost.lines
        assert "refused clock" in lost.lines
    finally:
        lost.end()
    found = Life(tmp_path / "state", {**settings, "versions": {"tile": NEXT}}, picture)
    try:
        assert found.until(lambda said: said == "up 1.3.0 ok"), found.lines
    finally:
        found.end()
