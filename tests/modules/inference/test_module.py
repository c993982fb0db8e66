"""The module between its inputs and outputs, with edgeHub played by the test and the models real."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx

from modules.common.messages import Alert, Message

MakePackage = Callable[..., Path]
Frame = Callable[..., Message]


def test_a_defect_becomes_an_alert_and_an_ok_part_none(
    run_module: Any, transport: Any, make_package: MakePackage, frame: Frame, bright: bytes, dark: bytes
) -> None:
    async def part(line: Any) -> None:
        await line.deliver(frame(dark), frame(bright, item="part-2"), frame(dark))

    run_module(part, tile=make_package())
    (sent,) = transport.outputs("alerts")
    alert = Alert.parse(sent.document())
    assert (alert.source, alert.label, alert.item) == ("camera/line1", "defect", "part-2")


def test_a_redelivered_picture_is_scored_once(
    run_module: Any, transport: Any, make_package: MakePackage, frame: Frame, bright: bytes
) -> None:
    message = frame(bright)

    async def part(line: Any) -> None:
        await line.deliver(message)
        await line.deliver(message)

    run_module(part, tile=make_package())
    assert len(transport.outputs("alerts")) == 1
    scores = [each.document() for each in transport.outputs("scores")]
    assert sum(each["verdicts"] for each in scores) == 1


def test_no_message_is_lost_nor_scored_twice_while_a_model_hangs_and_the_last_good_one_takes_over(
    run_module: Any,
    transport: Any,
    make_package: MakePackage,
    picture_card: Callable[..., dict[str, Any]],
    hanging: onnx.ModelProto,
    frame: Frame,
    dark: bytes,
    bright: bytes,
) -> None:
    good = make_package("good")
    bad = make_package("bad", picture_card(version="2.0.0"), hanging)
    messages = [frame(dark), *(frame(bright, item=f"part-{number}") for number in range(4)), frame(dark)]

    async def part(line: Any) -> None:
        await line.deliver(frame(dark))
        line.set(2, packages={"tile": {"path": str(bad)}})
        await line.runs("2.0.0")
        await line.deliver(*messages)

    run_module(part, settings={"judge_s": 3.0}, tile=good)
    assert len(transport.acknowledged) == 7
    alerts = [Alert.parse(each.document()) for each in transport.outputs("alerts")]
    assert [alert.item for alert in alerts] == ["part-0", "part-1", "part-2", "part-3"]
    assert {each.model for each in transport.outputs("alerts")} == {"made-up/1.0.0"}


def test_what_no_model_judges_is_counted_and_does_not_stop_the_rest(
    run_module: Any, transport: Any, make_package: MakePackage, frame: Frame, bright: bytes
) -> None:
    async def part(line: Any) -> None:
        await line.deliver(frame(b"\xff\xd8 torn"), frame(bright, source="elsewhere/1"), frame(bright))

    edge = run_module(part, tile=make_package())
    assert len(transport.outputs("alerts")) == 1
    text = edge.metrics.render().decode()
    assert 'reason="corrupt_picture"' in text
    assert 'reason="no_model"' in text
