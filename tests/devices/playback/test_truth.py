from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from devices.dataset import PictureFile, PictureSet
from devices.playback.report import Figures
from devices.playback.truth import bearing_verdicts, model_alerts, passage, picture_scores


def arrival(identity: str, body: object, **facts: str) -> dict[str, Any]:
    return {"message_id": identity, "body": body, "properties": {"kind": "alert", "model": "bearing-1", **facts}}


def test_only_a_models_alerts_and_each_once() -> None:
    found = model_alerts(
        [
            arrival("1", {"label": "IR"}),
            arrival("1", {"label": "IR"}),
            arrival("2", {"label": "x"}, model=""),
            arrival("3", {"label": "y"}, kind="score"),
            arrival("4", "no object"),
        ]
    )
    assert found == [{"label": "IR"}]


def test_the_last_word_on_a_recording_counts() -> None:
    alerts = [
        {"source": "a", "label": "ball", "state": "raised"},
        {"source": "a", "label": "inner_race", "state": "updated"},
        {"source": "b", "label": "outer_race", "state": "raised"},
        {"source": "b", "label": "outer_race", "state": "cleared"},
        {"source": "d", "label": "outer_race", "state": "raised"},
        {"source": "elsewhere", "label": "outer_race", "state": "raised"},
    ]
    verdicts = bearing_verdicts(alerts, {"a": "IR", "b": "normal", "c": "B", "d": "normal", "e": None})
    assert [each.said for each in verdicts] == ["inner_race", "normal", "normal", "outer_race", "normal"]
    assert [each.right for each in verdicts] == [True, True, False, False, False]
    assert [each.false_alarm for each in verdicts] == [False, False, False, True, False]


def pictures(name: str, *files: str) -> PictureSet:
    return PictureSet(name, Path("/"), tuple(PictureFile(file, file.split("/")[0]) for file in files))


def test_good_parts_and_defects_of_a_sorting_set() -> None:
    sets = [pictures("tiles", "free/1", "free/2", "crack/1", "crack/2")]
    alerts = [
        {"source": "camera/tiles", "item": "free/2", "label": "defect"},
        {"source": "camera/tiles", "item": "crack/1", "label": "defect"},
        {"source": "camera/other", "item": "crack/2", "label": "defect"},
    ]
    scores = {each.label: (each.right, each.total) for each in picture_scores(alerts, sets)}
    assert scores == {"free": (1, 2), "crack": (1, 2)}


def test_a_set_of_defects_only_asks_for_the_class() -> None:
    sets = [pictures("steel", "patches/1", "scratches/1")]
    alerts = [
        {"source": "camera/steel", "item": "patches/1", "label": "patches"},
        {"source": "camera/steel", "item": "scratches/1", "label": "patches"},
    ]
    assert [each.right for each in picture_scores(alerts, sets)] == [1, 0]


@given(sent=st.lists(st.integers(0, 30)), arrived=st.lists(st.integers(0, 30)))
def test_passage_counts(sent: list[int], arrived: list[int]) -> None:
    found = passage(map(str, sent), map(str, arrived))
    assert found.missing == len(set(sent) - set(arrived))
    assert found.repeats == len(arrived) - len(set(arrived))


def test_the_table_and_the_document_say_the_same() -> None:
    alert = {"source": "a", "label": "inner_race", "state": "raised"}
    verdicts = bearing_verdicts([alert], {"a": "normal", "b": "normal"})
    figures = Figures(
        verdicts=verdicts,
        pictures=picture_scores([], [pictures("tiles", "free/1")]),
        passage=passage(["1", "2"], ["1", "1"]),
        bytes_in=1000,
        bytes_up=5,
        alerts=1,
        latency_p50=2.0,
        latency_p99=3.0,
        left_out=Counter(truncated=1),
        seconds=1.5,
    )
    document, table = figures.document(), figures.table()
    assert document["bearing"] == {"right": 1, "total": 2, "false_alarms": 1}
    assert document["pictures"] == {"right": 1, "total": 1}
    assert (document["ids_missing"], document["repeats"]) == (1, 1)
    assert "FALSE ALARM" in table and "5 (0.50%)" in table and "1 truncated" in table
