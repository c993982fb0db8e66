"""A person's verdict on an alert travels up with the picture it was about; uncertain and odd inputs go unasked."""

import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from modules.common.messages import Alert, Message, derived_id, new_id

MakePackage = Callable[..., Path]
Frame = Callable[..., Message]
Command = Callable[..., Message]


def records(transport: Any) -> list[Message]:
    return [each for each in transport.outputs("samples") if each.kind == "verdict"]


def samples(transport: Any) -> list[Message]:
    return [each for each in transport.outputs("samples") if each.kind == "sample"]


def test_a_verdict_sends_the_picture_behind_the_alert_once_and_over_a_restart(
    run_module: Any, transport: Any, make_package: MakePackage, frame: Frame, command: Command, bright: bytes
) -> None:
    package = make_package()

    async def alert(line: Any) -> None:
        await line.deliver(frame(bright, item="part-7"))

    run_module(alert, tile=package)
    (raised,) = transport.outputs("alerts")
    assert samples(transport) == []
    said = command("verdict", id=raised.message_id, verdict="false", by="Ada", why="a reflection")

    async def judge(line: Any) -> None:
        await line.deliver(said, said, to="commands")
        status, answer = await transport.call("verdict", {"id": raised.message_id, "verdict": True, "by": "Bob"})
        assert (status, answer["verdict"], answer["sample"]) == (200, "true", sample_id)

    sample_id = derived_id(raised.message_id, "inference", "samples", 0)
    run_module(judge, tile=package)
    (sample,) = samples(transport)
    assert (sample.message_id, sample.body) == (sample_id, bright)
    assert sample.properties["alert"] == raised.message_id
    assert (sample.properties["reason"], sample.properties["item"]) == ("verdict", "part-7")
    first, again, other = records(transport)
    assert first.message_id == again.message_id == derived_id(said.message_id, "inference", "samples", 0)
    assert other.message_id != first.message_id
    assert first.document() == {
        "alert": raised.message_id,
        "verdict": "false",
        "by": "Ada",
        "why": "a reflection",
        "at": "2026-01-02T00:00:00.000Z",
        "sample": sample_id,
    }
    assert first.trace_id == raised.message_id


def test_a_verdict_on_what_nothing_was_kept_of_goes_up_all_the_same(
    run_module: Any, transport: Any, make_package: MakePackage, command: Command
) -> None:
    async def judge(line: Any) -> None:
        await line.deliver(command("verdict", id=new_id(), verdict="unsure", by="Ada"), to="commands")
        assert (await transport.call("forgetAlerts"))[1] == {"forgotten": 0}

    run_module(judge, tile=make_package())
    (record,) = records(transport)
    assert record.document()["sample"] is None


@pytest.mark.parametrize("wrong", [{"verdict": "maybe"}, {"verdict": 1}, {"id": "../../etc", "verdict": "true"}, {}])
def test_what_is_no_verdict_is_refused(
    run_module: Any, transport: Any, make_package: MakePackage, command: Command, wrong: dict[str, object]
) -> None:
    arguments = {"id": new_id(), **wrong}

    async def judge(line: Any) -> None:
        await line.deliver(command("verdict", **arguments), to="commands")
        assert (await transport.call("verdict", arguments))[0] == 400

    edge = run_module(judge, tile=make_package())
    assert records(transport) == []
    assert 'reason="wrong_shape"' in edge.metrics.render().decode()


def test_an_uncertain_and_an_odd_picture_go_up_by_themselves_and_no_more_than_the_rate(
    run_module: Any,
    transport: Any,
    make_package: MakePackage,
    picture_card: Callable[..., dict[str, Any]],
    frame: Frame,
    dark: bytes,
    bright: bytes,
) -> None:
    wary = picture_card(decision={"uncertain": [0.0, 0.5]}, reference={"input": {"mean": [100, 300]}})
    sure = picture_card(sources=["line2"], reference={"input": {"mean": [100, 300]}})

    async def part(line: Any) -> None:
        await line.deliver(frame(bright, source="line2"), frame(dark, source="line2"), frame(dark), frame(dark))

    run_module(
        part,
        settings={"samples_per_hour": 3600.0, "source_samples_per_hour": 1.0},
        clock=partial(next, itertools.count(step=10.0)),
        sure=make_package("sure", sure),
        tile=make_package("tile", wary),
    )
    sent = samples(transport)
    assert [(each.source, each.properties["reason"]) for each in sent] == [("line2", "odd"), ("camera/line1", "odd")]
    assert sent[0].properties["odd"] == "mean 0 is outside 100 to 300"
    assert sent[0].body == dark
    scores = {each.source: each.document() for each in transport.outputs("scores")}
    assert (scores["camera/line1"]["uncertain"], scores["camera/line1"]["odd"], scores["line2"]["odd"]) == (2, 2, 1)


def test_an_alert_whose_picture_went_up_already_needs_no_second_one(
    run_module: Any,
    transport: Any,
    make_package: MakePackage,
    picture_card: Callable[..., dict[str, Any]],
    frame: Frame,
    command: Command,
    bright: bytes,
) -> None:
    async def part(line: Any) -> None:
        await line.deliver(frame(bright))
        (alert,) = transport.outputs("alerts")
        await line.deliver(command("verdict", id=alert.message_id, verdict="true", by="Ada"), to="commands")

    unsure = picture_card(decision={"uncertain": [0.5, 1.0]})
    run_module(part, tile=make_package(document=unsure))
    (alert,) = transport.outputs("alerts")
    assert Alert.parse(alert.document()).label == "defect"
    (sample,) = samples(transport)
    (record,) = records(transport)
    assert record.document()["sample"] == sample.message_id == derived_id(alert.message_id, "inference", "samples", 0)
