"""Lists of sensors from a file: used whole and as the twin names it, or refused with the line that is wrong."""

from hashlib import sha256
from pathlib import Path

import pytest
from pydantic import ValidationError

from modules.common.listed import ListFile
from modules.common.settings import SettingsError
from modules.vibration.lists import Lists, load, parse
from modules.vibration.scalar.core import ScalarCore
from modules.vibration.scalar.rules import Aggregation, Limits, Rule, Statistics

START = 1_700_000_040.0
GOOD = """sensor,group,unit,limit,alive,when,min_sigma
press4/oil,presses,Cel,90,3.6..21,load run-up,
"oven, left",ovens,K,,,,0.5
"""


def put(folder: Path, text: str) -> ListFile:
    (folder / "limits.csv").write_text(text, encoding="utf-8")
    return ListFile(file="limits.csv", sha256=sha256(text.encode()).hexdigest())


def test_every_line_is_a_rule_of_its_own(tmp_path: Path) -> None:
    rules = load(tmp_path, put(tmp_path, GOOD))
    assert rules["press4/oil"] == Rule(
        group="presses", match=(), unit="Cel", limit=90, alive=(3.6, 21), when=("load", "run-up")
    )
    assert rules["oven, left"] == Rule(group="ovens", match=(), unit="K", min_sigma=0.5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sensor,limit\na,1\nb,-1\n", "line 3: limit: Input should be greater than 0"),
        ("sensor,limit\na,1\na,2\n", "line 3: a again"),
        ("sensor,limit\na\n", "line 2: 1 cells, the first line has 2"),
        ("sensor,limit\n,1\n", "line 2: no sensor"),
        ("sensor,limits\na,1\n", "line 1: the columns are"),
        ("", "line 1: the columns are"),
        ("sensor,warning,critical\na,0.9,0.8\n", "line 2: Value error, critical must be above warning"),
        ("sensor,alive\na,1..x\n", "line 2: alive.1: "),
        ("sensor,match\na,*\n", "line 1: the columns are"),
        ('sensor,limit\n"a,1\n', "line 2: unexpected end of data"),
    ],
)
def test_a_bad_file_is_refused_whole_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(tmp_path, put(tmp_path, text))
    assert str(refused.value).startswith(f"limits.csv: {said}")


def test_a_file_that_is_not_the_one_named_is_refused(tmp_path: Path) -> None:
    wanted = put(tmp_path, GOOD)
    (tmp_path / "limits.csv").write_text(GOOD + "x,,,,,,\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="its SHA-256 is"):
        load(tmp_path, wanted)
    with pytest.raises(SettingsError, match=r"other.csv: No such file"):
        load(tmp_path, wanted.model_copy(update={"file": "other.csv"}))
    with pytest.raises(ValidationError):
        ListFile(file="../limits.csv", sha256="0" * 64)


def test_the_list_before_stays_in_force_when_the_next_is_bad(tmp_path: Path) -> None:
    wanted = put(tmp_path, GOOD)
    lists = Lists(tmp_path, wanted)
    assert lists.told == {"file": "limits.csv", "sha256": wanted.sha256, "sensors": 2}
    with pytest.raises(SettingsError):
        lists.take(put(tmp_path, "sensor\na\na\n"))
    assert len(lists.rules) == 2
    lists.take(None)
    assert (lists.rules, lists.told) == ({}, {})


def test_a_bad_list_at_the_start_is_told_and_may_be_mended(tmp_path: Path) -> None:
    wanted = put(tmp_path, GOOD)
    (tmp_path / "limits.csv").unlink()
    lists = Lists(tmp_path, wanted)
    assert "No such file" in str(lists.told["error"])
    lists.take(put(tmp_path, GOOD))
    assert len(lists.rules) == 2


def test_a_listed_sensor_is_judged_by_its_line_alone() -> None:
    listed = parse("sensor,limit\npress1,50\n")
    core = ScalarCore([Rule(group="presses", match=("press*",), limit=100.0)], listed=listed)
    names = ["press1", "press2"]
    outcome = core.handle(names, [45.0, 45.0], [START] * 2, [None] * 2, seq=1, now=START)
    assert [(each.sensor, each.limit) for each in outcome.findings] == [("press1", 50.0), ("press2", 100.0)]
    core.configure([], Statistics(), Aggregation(), Limits())
    assert core.sensors.rules[core.sensors.rule[0]].group == "any"


def test_ten_thousand_lines_with_a_rule_each() -> None:
    text = "sensor,limit\n" + "".join(f"s{number},{100 + number}\n" for number in range(10_000))
    core = ScalarCore(listed=parse(text))
    rows = core.resolve([f"s{number}" for number in range(10_000)])
    assert core.levels.limit[rows].tolist() == [100.0 + number for number in range(10_000)]
