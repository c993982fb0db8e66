from __future__ import annotations

import pytest

from fleet.exits import Exit, FleetError
from fleet.patch import parse


def test_words_and_json_make_the_same_patch() -> None:
    whole = {"settings": {"rate": 5, "name": "line a", "old": None}, "on": True}
    assert parse(["settings.rate=5", "settings.name=line a", "settings.old=null", "on=true"]) == whole
    assert parse(['{"settings": {"rate": 5, "name": "line a", "old": null}, "on": true}']) == whole


@pytest.mark.parametrize("words", [["rate"], [".a=1"], ["a.=1"], ["a=1", "a.b=2"], ["{"], ["=1"]])
def test_what_is_neither_is_refused(words: list[str]) -> None:
    with pytest.raises(FleetError) as refused:
        parse(words)
    assert refused.value.code == Exit.USAGE
