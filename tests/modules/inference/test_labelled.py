"""What people judged stays here to be learnt from: where it is wanted, under the last verdict, bounded, deleted."""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from modules.common.messages import Message, member
from modules.inference.labelled import Labelled

MakePackage = Callable[..., Path]
Frame = Callable[..., Message]
Command = Callable[..., Message]


def files(folder: Path) -> list[Path]:
    return list(folder.rglob("*.labelled"))


def read(folder: Path) -> dict[str, str]:
    return {each.stem: member(each.read_bytes()).properties["verdict"] for each in folder.glob("*.labelled")}


def test_the_last_verdict_holds_and_unsure_takes_the_sample_away(tmp_path: Path, frame: Frame) -> None:
    labelled = Labelled(tmp_path)
    labelled.judge("a", "true", frame(b"x"), megabytes=1)
    assert read(tmp_path) == {"a": "true"}
    labelled.judge("a", "false", None, megabytes=1)
    labelled.judge("b", "true", None, megabytes=1)  # nothing was kept of it
    assert read(tmp_path) == {"a": "false"}
    assert member((tmp_path / "a.labelled").read_bytes()).body == b"x"
    labelled.judge("a", "unsure", None, megabytes=1)
    assert read(tmp_path) == {}


def test_the_oldest_make_room_and_no_room_keeps_none(tmp_path: Path, frame: Frame) -> None:
    labelled = Labelled(tmp_path)
    for number in range(12):
        labelled.judge(str(number), "true", frame(b"x" * 90_000), megabytes=1)
        os.utime(tmp_path / f"{number}.labelled", (number, number))
    labelled.bound(1)
    assert sum(each.stat().st_size for each in tmp_path.iterdir()) <= 1e6
    assert set(read(tmp_path)) == {str(number) for number in range(4, 12)}
    assert labelled.forget() == 8
    labelled.judge("a", "true", frame(b"x"), megabytes=0)
    assert len(labelled) == 0


def test_verdicts_tidying_and_forgetting_at_once_do_not_trip_over_each_other(
    tmp_path: Path, frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    labelled = Labelled(tmp_path)
    at_once = labelled._files

    def slowly() -> list[Path]:
        found = at_once()
        time.sleep(0.001)  # as on a slow disk
        return found

    monkeypatch.setattr(labelled, "_files", slowly)

    def judge(name: str) -> None:
        for number in range(100):
            labelled.judge(f"{name}{number % 7}", ("true", "unsure")[number % 2], frame(b"x" * 1000), megabytes=1)

    def tidy(what: Callable[[], object]) -> None:
        while not all(each.done() for each in judging):
            what()

    with ThreadPoolExecutor(4) as pool:
        judging = [pool.submit(judge, name) for name in "ab"]
        others = [pool.submit(tidy, what) for what in (lambda: labelled.bound(0.005), labelled.forget)]
        for each in (*judging, *others):
            each.result()
    assert len(labelled) == len(files(tmp_path))


@pytest.mark.parametrize("wanted", [0.0, 4.0])
def test_a_judged_picture_stays_where_learning_is_wanted_even_if_it_went_up_before(
    run_module: Any,
    transport: Any,
    make_package: MakePackage,
    picture_card: Callable[..., dict[str, Any]],
    frame: Frame,
    command: Command,
    bright: bytes,
    tmp_path: Path,
    wanted: float,
) -> None:
    wary = picture_card(reference={"input": {"mean": [0, 1]}})  # odd: it goes up by itself, and raises an alert

    async def part(line: Any) -> None:
        await line.deliver(frame(bright))
        (raised,) = transport.outputs("alerts")
        await line.deliver(command("verdict", id=raised.message_id, verdict="false", by="Ada"), to="commands")
        kept = files(tmp_path)
        assert len(kept) == (1 if wanted else 0)
        if kept:
            sample = member(kept[0].read_bytes())
            assert (sample.body, sample.properties["verdict"]) == (bright, "false")
            assert sample.properties["label"] == "defect"
            assert (await transport.call("forgetAlerts"))[1] == {"forgotten": 2}
        assert files(tmp_path) == []

    run_module(part, settings={"labelled_mb": wanted}, tile=make_package("tile", wary))
    assert [each.kind for each in transport.outputs("samples")] == ["sample", "verdict"]
